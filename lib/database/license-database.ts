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
 * Never both regions at once, and not in the hours of the backups. The one thing that a follower cannot be made with: the
 * runbook gives it back at the end of a failback.
 */
const MAINTENANCE_WINDOWS: Readonly<Record<Region, string>> = {
  oregon: 'tue:09:00-tue:09:30',
  virginia: 'thu:09:00-thu:09:30',
};

export interface LicenseDatabaseProps {
  readonly context: RegionContext;
  readonly foundation: DatabaseFoundation;
  readonly key: IKey;
  /** The owner's login; the standby region's database takes it over from the one that it follows. */
  readonly owner: ISecret;
}

/**
 * A region's license database: RDS for PostgreSQL under a fixed identifier. In Oregon it is made as a primary, in
 * Virginia as the follower of Oregon's, whose ARN is written down and not referred to. That is how they *begin*: roles
 * change at run time, and CloudFormation does not look. Nothing here depends on who is active.
 */
export class LicenseDatabase extends Construct {
  readonly instance: CfnDBInstance;

  constructor(scope: Construct, id: string, { context, foundation, key, owner }: LicenseDatabaseProps) {
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
      ...(isPrimary
        ? {
            engineVersion: POSTGRES_VERSION,
            dbName: DATABASE_NAME,
            allocatedStorage: String(database.storageGiB),
            storageEncrypted: true,
            backupRetentionPeriod: settings.backupRetentionDays,
            preferredBackupWindow: '08:00-08:30',
            masterUsername: 'evergrant_owner',
            masterUserPassword: ownerPassword(owner).unsafeUnwrap(),
          }
        : {
            sourceDbInstanceIdentifier: `arn:aws:rds:${AWS_REGION_OF[other]}:${config.account}:db:${names.databases[other]}`,
            sourceRegion: AWS_REGION_OF[other],
          }),
    });
    this.instance.applyRemovalPolicy(RemovalPolicy.RETAIN);
    // Named, and not referred to: the names are what a follower that is made later goes by.
    this.instance.addResourceDependency(foundation.subnets);
    this.instance.addResourceDependency(foundation.parameters);
    this.instance.node.addDependency(foundation.monitoringRole);
    acknowledge(this.instance, {
      CKV_AWS_161:
        'Passwords over verified TLS: logging in must not depend on another service at the moment of a failover.',
      'AwsSolutions-RDS11': 'The port is no secret: nobody but the servers and the controller reaches it.',
      ...(isPrimary
        ? {}
        : {
            E3720: 'StorageEncrypted follows from the key; given beside a source, CloudFormation refuses it.',
            CKV_AWS_16: 'A follower of an encrypted database is encrypted, with the key that is given here.',
            'AwsSolutions-RDS2': 'A follower of an encrypted database is encrypted, with the key that is given here.',
            'AwsSolutions-RDS13': 'A follower takes no backups; the promotion sets their retention.',
          }),
    });
  }

  get host(): string {
    return this.instance.attrEndpointAddress;
  }
}
