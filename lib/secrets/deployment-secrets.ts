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
  /** The first API token. An administrator uses it to create the others. */
  readonly administrator: ISecret;
}

/**
 * The secrets, created in Oregon and replicated to Virginia so that Virginia does not depend on Oregon. A follower has the
 * passwords of its source, so both regions use the same passwords.
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
        // A rollback of the creation deletes the secret, because a retained secret would block its name for the next deploy.
        removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
      });
      acknowledge(secret, {
        CKV_AWS_149:
          'Each region encrypts its replica with its own service key. A customer key would couple the regions.',
        'AwsSolutions-SMG4':
          'Automatic rotation cannot write to the follower. docs/deploy.md describes the manual rotation.',
      });
      // The library's class and interface differ in an optional member only.
      return secret as ISecret;
    };
    this.owner = make('owner', { username: 'evergrant_owner', dbname: DATABASE_NAME }, 'databasePassword');
    // The setup function adds the signing keys of lease tokens once.
    this.server = make('server', {}, 'databasePassword');
    this.controller = make('controller', { username: 'evergrant_controller', dbname: DATABASE_NAME }, 'password');
    this.administrator = make('administrator', {}, 'token');
  }
}

/** The replicas in the standby region, under the same names. */
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

/** A dynamic reference to the owner's password. CloudFormation resolves it, so the template never contains the password. */
export function ownerPassword(secret: ISecret): SecretValue {
  return SecretValue.secretsManager(secret.secretArn, { jsonField: 'databasePassword' });
}

/** The ARN pattern of a secret: Secrets Manager appends six random characters. */
export function secretArnPattern(awsRegion: string, account: string, name: string): string {
  return `arn:aws:secretsmanager:${awsRegion}:${account}:secret:${name}-??????`;
}
