import { AWS_REGION_OF } from '@evergrant/controller/aws/resource-names';
import { RemovalPolicy, SecretValue } from 'aws-cdk-lib';
import { type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { acknowledge } from '../config/acknowledged';
import type { RegionContext } from '../config/region-context';

export const DATABASE_NAME = 'evergrant';

export interface DeploymentSecrets {
  readonly owner: ISecret;
  readonly server: ISecret;
  readonly controller: ISecret;
  /** The first API token: with it an administrator makes the others. */
  readonly administrator: ISecret;
}

/**
 * Made in Oregon and replicated to Virginia, whose copy is there when Oregon is not. The follower keeps the passwords
 * of the database it follows, so both regions log in with the same ones.
 */
export class PrimarySecrets extends Construct implements DeploymentSecrets {
  readonly owner: ISecret;
  readonly server: ISecret;
  readonly controller: ISecret;
  readonly administrator: ISecret;

  constructor(scope: Construct, id: string, { names }: RegionContext) {
    super(scope, id);
    const make = (name: keyof typeof names.secrets, template: object, generated: string): ISecret => {
      const secret = new Secret(this, name, {
        secretName: names.secrets[name],
        generateSecretString: {
          secretStringTemplate: JSON.stringify(template),
          generateStringKey: generated,
          passwordLength: 40,
          excludePunctuation: true,
        },
        replicaRegions: [{ region: AWS_REGION_OF.virginia }],
        // Not when its own making is rolled back: the name would be taken when it is made again.
        removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
      });
      acknowledge(secret, {
        CKV_AWS_149:
          'Each region encrypts its copy with its own service key: a key of ours would have to be known across the regions.',
        'AwsSolutions-SMG4':
          'A password is changed on two databases of which one cannot be written: docs/deploy.md says how, and a human does it.',
      });
      // The library's class and interface differ in an optional member only.
      return secret as ISecret;
    };
    this.owner = make('owner', { username: 'evergrant_owner', dbname: DATABASE_NAME }, 'databasePassword');
    // The keys that sign lease tokens are added once, by the setup.
    this.server = make('server', {}, 'databasePassword');
    this.controller = make('controller', { username: 'evergrant_controller', dbname: DATABASE_NAME }, 'password');
    this.administrator = make('administrator', {}, 'token');
  }
}

/** The copies in the standby region, under the same names. */
export class ReplicatedSecrets extends Construct implements DeploymentSecrets {
  readonly owner: ISecret;
  readonly server: ISecret;
  readonly controller: ISecret;
  readonly administrator: ISecret;

  constructor(scope: Construct, id: string, { names }: RegionContext) {
    super(scope, id);
    this.owner = Secret.fromSecretNameV2(this, 'Owner', names.secrets.owner);
    this.server = Secret.fromSecretNameV2(this, 'Server', names.secrets.server);
    this.controller = Secret.fromSecretNameV2(this, 'Controller', names.secrets.controller);
    this.administrator = Secret.fromSecretNameV2(this, 'Administrator', names.secrets.administrator);
  }
}

/** The owner's password as CloudFormation fetches it when it makes the database; it never stands in a template. */
export function ownerPassword(secret: ISecret): SecretValue {
  return SecretValue.secretsManager(secret.secretArn, { jsonField: 'databasePassword' });
}

/** A secret's ARN ends in six characters that nobody predicts. */
export function secretArnPattern(awsRegion: string, account: string, name: string): string {
  return `arn:aws:secretsmanager:${awsRegion}:${account}:secret:${name}-??????`;
}
