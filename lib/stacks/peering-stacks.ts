import { AWS_REGION_OF } from '@evergrant/controller/aws/resource-names';
import { Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { DeploymentConfig } from '../config/deployment-config';
import { PeeringAccepter, PeeringRequester } from '../peering/peering';
import { Setup } from '../setup/setup';

type Props = StackProps & { readonly config: DeploymentConfig };

/** Connects the networks of the two regions after both are deployed. The regions' own stacks do not depend on it. */
export class PeeringRequesterStack extends Stack {
  constructor(scope: Construct, id: string, { config, ...props }: Props) {
    super(scope, id, props);
    const setup = new Setup(this, 'Setup', { config, awsRegion: AWS_REGION_OF.virginia, stack: 'interconnect' });
    new PeeringRequester(this, 'Interconnect', { config, setup });
  }
}

/** Adds the return routes of the peering to Oregon's database subnets. */
export class PeeringAccepterStack extends Stack {
  constructor(scope: Construct, id: string, { config, ...props }: Props) {
    super(scope, id, props);
    const setup = new Setup(this, 'Setup', { config, awsRegion: AWS_REGION_OF.oregon, stack: 'interconnect' });
    new PeeringAccepter(this, 'Interconnect', { config, setup });
  }
}
