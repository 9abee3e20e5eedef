import { AWS_REGION_OF } from '@evergrant/controller/aws/resource-names';
import type { Region } from '@evergrant/core/regions';
import { RemovalPolicy } from 'aws-cdk-lib';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { CfnDBInstance } from 'aws-cdk-lib/aws-rds';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { acknowledge } from '../config/acknowledged';
import type { RegionContext } from '../config/region-context';
import { DATABASE_NAME, ownerPassword } from '../secrets/deployment-secrets';
import { type DatabaseFoundation, POSTGRES_PORT, POSTGRES_VERSION } from './database-foundation';
import { followerSettings } from './follower-settings';

/**
 * Different days for the two regions, outside of the backup windows. RDS cannot set the window when it creates a
 * follower, so the runbook restores it at the end of a failback.
 */
const MAINTENANCE_WINDOWS: Readonly<Record<Region, string>> = {
  oregon: 'tue:09:00-tue:09:30',
  virginia: 'thu:09:00-thu:09:30',
};

export interface RegionDatabaseProps {
  readonly context: RegionContext;
  readonly foundation: DatabaseFoundation;
  readonly key: IKey;
  /** The login of the owner. A follower has the login of its source. */
  readonly owner: ISecret;
}

/**
 * A region's license database: RDS for PostgreSQL under a fixed identifier. The first deploy creates Oregon's database as
 * the primary and Virginia's as its follower, by ARN and without a reference between the stacks. Roles change at run
 * time, outside of CloudFormation, so this construct does not depend on which region is active.
 */
export class RegionDatabase extends Construct {
  readonly instance: CfnDBInstance;

  constructor(scope: Construct, id: string, { context, foundation, key, owner }: RegionDatabaseProps) {
    super(scope, id);
    const { config, names, region, other, isPrimary } = context;
    const { database } = config;
    const settings = followerSettings(config, names, region);
    this.instance = new CfnDBInstance(this, 'Instance', {
      dbInstanceIdentifier: names.databases[region],
      dbInstanceClass: settings.instanceClass,
      engine: 'postgres',
      port: String(POSTGRES_PORT),
      multiAz: settings.multiAz,
      storageType: 'gp3',
      maxAllocatedStorage: settings.storageMaxGiB,
      kmsKeyId: key.keyArn,
      dbSubnetGroupName: names.databaseSubnets,
      dbParameterGroupName: names.databaseParameters,
      vpcSecurityGroups: [foundation.securityGroup.securityGroupId],
      caCertificateIdentifier: settings.certificateAuthority,
      publiclyAccessible: false,
      autoMinorVersionUpgrade: false,
      copyTagsToSnapshot: true,
      enablePerformanceInsights: true,
      performanceInsightsKmsKeyId: key.keyArn,
      monitoringInterval: settings.monitoringIntervalSeconds,
      monitoringRoleArn: settings.monitoringRoleArn,
      preferredMaintenanceWindow: MAINTENANCE_WINDOWS[region],
      enableCloudwatchLogsExports: ['postgresql'],
      deletionProtection: true,
      // Followers have backups too, so that a promoted one has a backup at once.
      backupRetentionPeriod: settings.backupRetentionDays,
      preferredBackupWindow: settings.backupWindow,
      ...(isPrimary
        ? {
            engineVersion: POSTGRES_VERSION,
            dbName: DATABASE_NAME,
            allocatedStorage: String(database.storageGiB),
            storageEncrypted: true,
            masterUsername: 'evergrant_owner',
            masterUserPassword: ownerPassword(owner).unsafeUnwrap(),
          }
        : {
            sourceDbInstanceIdentifier: `arn:aws:rds:${AWS_REGION_OF[other]}:${config.account}:db:${names.databases[other]}`,
            sourceRegion: AWS_REGION_OF[other],
          }),
    });
    this.instance.applyRemovalPolicy(RemovalPolicy.RETAIN);
    // The properties use names instead of references, because the controller creates later followers by these names.
    this.instance.addResourceDependency(foundation.subnets);
    this.instance.addResourceDependency(foundation.parameters);
    this.instance.node.addDependency(foundation.monitoringRole);
    acknowledge(this.instance, {
      CKV_AWS_161: 'Passwords over verified TLS: a login must not depend on another service during a failover.',
      'AwsSolutions-RDS11': 'A default port is no risk here: only the servers and the controller can reach it.',
      ...(isPrimary
        ? {}
        : {
            E3720: 'The key implies StorageEncrypted. CloudFormation refuses the property together with a source.',
            CKV_AWS_16: 'A follower of an encrypted database is encrypted with the key in this template.',
            'AwsSolutions-RDS2': 'A follower of an encrypted database is encrypted with the key in this template.',
          }),
    });
  }

  get host(): string {
    return this.instance.attrEndpointAddress;
  }
}
