import { AWS_REGION_OF } from '@evergrant/controller/aws/resource-names';
import { Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { DeploymentConfig } from '../config/deployment-config';
import { OregonEnd, VirginiaEnd } from '../peering/peering';
import { Setup } from '../setup/setup';

type Props = StackProps & { readonly config: DeploymentConfig };

/** Joins the regions, once both are there. Neither region's own stack knows of it. */
export class VirginiaInterconnectStack extends Stack {
  constructor(scope: Construct, id: string, { config, ...props }: Props) {
    super(scope, id, props);
    const setup = new Setup(this, 'Setup', { config, awsRegion: AWS_REGION_OF.virginia, stack: 'interconnect' });
    new VirginiaEnd(this, 'Interconnect', { config, setup });
  }
}

export class OregonInterconnectStack extends Stack {
  constructor(scope: Construct, id: string, { config, ...props }: Props) {
    super(scope, id, props);
    const setup = new Setup(this, 'Setup', { config, awsRegion: AWS_REGION_OF.oregon, stack: 'interconnect' });
    new OregonEnd(this, 'Interconnect', { config, setup });
  }
}
