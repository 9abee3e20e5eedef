import { RemovalPolicy } from 'aws-cdk-lib';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Alias, Key } from 'aws-cdk-lib/aws-kms';
import { Construct } from 'constructs';
import type { RegionContext } from '../config/region-context';

/** A region's own keys. Neither region's data needs a key of the other one to be read. */
export class RegionKeys extends Construct {
  /** Encrypts the database, and the copy of it that a follower is made from. */
  readonly database: Key;
  /** Encrypts logs and alerts. */
  readonly telemetry: Key;

  constructor(scope: Construct, id: string, { names, awsRegion, config }: RegionContext) {
    super(scope, id);
    // Kept, but for one whose own making is rolled back: nothing has been encrypted with it.
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
    // Alarms could not speak on an encrypted topic otherwise.
    this.telemetry.grantEncryptDecrypt(new ServicePrincipal('cloudwatch.amazonaws.com'));
  }
}
