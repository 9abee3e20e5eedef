import { AWS_REGION_OF, deploymentNames, WITNESS_AWS_REGION } from '@evergrant/controller/aws/resource-names';
import { RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, Billing, MultiRegionConsistency, TableEncryptionV2, TableV2 } from 'aws-cdk-lib/aws-dynamodb';
import { Construct } from 'constructs';
import type { DeploymentConfig } from '../config/deployment-config';

/**
 * The authority record and the control record: a DynamoDB global table with multi-Region strong consistency. Oregon and
 * Virginia hold replicas and Ohio is the witness, so any two of the three regions can write.
 */
export class AuthorityTable extends Construct {
  readonly table: TableV2;

  constructor(scope: Construct, id: string, config: DeploymentConfig) {
    super(scope, id);
    this.table = new TableV2(this, 'Table', {
      tableName: deploymentNames(config.deployment).authorityTable,
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      billing: Billing.onDemand(),
      encryption: TableEncryptionV2.awsManagedKey(),
      multiRegionConsistency: MultiRegionConsistency.STRONG,
      witnessRegion: WITNESS_AWS_REGION,
      replicas: [
        {
          region: AWS_REGION_OF.oregon,
          deletionProtection: true,
          pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
        },
      ],
      deletionProtection: true,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      removalPolicy: RemovalPolicy.RETAIN,
    });
  }
}

/** ARN of the table in one region. */
export function authorityTableArn(config: DeploymentConfig, awsRegion: string): string {
  return `arn:aws:dynamodb:${awsRegion}:${config.account}:table/${deploymentNames(config.deployment).authorityTable}`;
}

/** Restricts a statement to items with these partition keys, see packages/authority-store/src/authority-table.ts. */
export function underKeys(...keys: readonly string[]): Record<string, Record<string, string[]>> {
  return { 'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': [...keys] } };
}
