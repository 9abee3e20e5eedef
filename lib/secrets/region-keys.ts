import { RemovalPolicy } from 'aws-cdk-lib';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Alias, Key } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import type { RegionContext } from '../config/region-context';

/** The keys of a region. The data of one region is readable without the keys of the other region. */
export class RegionKeys extends Construct {
  /** Encrypts the database and the snapshot from which a follower is created. */
  readonly database: Key;
  /** Encrypts logs and alerts. */
  readonly telemetry: Key;

  constructor(scope: Construct, id: string, { names, awsRegion, config }: RegionContext) {
    super(scope, id);
    // Keys are retained, except when their creation is rolled back, because no data is encrypted with them yet.
    const removalPolicy = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE;
    this.database = new Key(this, 'Database', {
      description: `${config.deployment}: the license database in ${awsRegion}`,
      enableKeyRotation: true,
      removalPolicy,
    });
    new Alias(this, 'DatabaseAlias', { aliasName: names.databaseKeyAlias, targetKey: this.database });
    this.telemetry = new Key(this, 'Telemetry', {
      description: `${config.deployment}: logs and alerts in ${awsRegion}`,
      enableKeyRotation: true,
      removalPolicy,
    });
    this.telemetry.grantEncryptDecrypt(new ServicePrincipal(`logs.${awsRegion}.amazonaws.com`));
    // CloudWatch alarms need the key to publish to the encrypted topic.
    this.telemetry.grantEncryptDecrypt(new ServicePrincipal('cloudwatch.amazonaws.com'));
  }
}
