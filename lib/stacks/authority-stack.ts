import { AWS_REGION_OF } from '@evergrant/controller/aws/resource-names';
import { Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { AuthorityTable } from '../authority/authority-table';
import type { DeploymentConfig } from '../config/deployment-config';
import { Setup } from '../setup/setup';
import { seedStatements } from '../setup/setup-policy';

/** The authority table. It is deployed in the controller's region, so that it can be updated while Oregon is down. */
export class AuthorityStack extends Stack {
  constructor(scope: Construct, id: string, { config, ...props }: StackProps & { readonly config: DeploymentConfig }) {
    super(scope, id, props);
    const table = new AuthorityTable(this, 'Authority', config);
    const awsRegion = AWS_REGION_OF.virginia;
    const statements = seedStatements(config, awsRegion);
    const setup = new Setup(this, 'Setup', { config, awsRegion, stack: 'authority', statements });
    setup.resource('Seed', 'authority', {}).node.addDependency(table);
  }
}
