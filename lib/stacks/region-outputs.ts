import { CfnOutput } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import type { RegionNetwork } from '../network/region-network';
import type { LicenseService } from '../service/license-service';

/**
 * Outputs that the commands in docs/deploy.md and docs/verification.md read with `aws cloudformation describe-stacks`.
 * None of them is exported, so no other stack can depend on them.
 */
export class RegionOutputs extends Construct {
  constructor(scope: Construct, id: string, { network, service }: { network: RegionNetwork; service: LicenseService }) {
    super(scope, id);
    const subnets = (of: RegionNetwork['serverSubnets']): string => of.map(({ subnetId }) => subnetId).join(',');
    const groups = service.service.connections.securityGroups.map(({ securityGroupId }) => securityGroupId);
    const outputs = {
      ClusterName: service.cluster.clusterName,
      MigrationTask: service.migration.family,
      ServerSubnets: subnets(network.serverSubnets),
      ServerSecurityGroups: groups.join(','),
      VpcId: network.vpc.vpcId,
      DatabaseSubnets: subnets(network.databaseSubnets),
    };
    for (const [name, value] of Object.entries(outputs)) new CfnOutput(this, name, { value }).overrideLogicalId(name);
  }
}
