import { Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { WatcherAlarm } from '../alarms/controller-alarms';
import type { DeploymentConfig } from '../config/deployment-config';
import { regionContext } from '../config/region-context';
import { PrimarySecrets } from '../secrets/deployment-secrets';
import { primarySetupStatements } from '../setup/setup-policy';
import { RegionResources } from './region-resources';

/** The primary region. */
export class OregonStack extends Stack {
  readonly #zones: readonly string[];

  constructor(scope: Construct, id: string, { config, ...props }: StackProps & { readonly config: DeploymentConfig }) {
    super(scope, id, props);
    this.#zones = config.network.oregon.availabilityZones;
    const context = regionContext(config, 'oregon');
    const secrets = new PrimarySecrets(this, 'Secrets', context);
    const statements = primarySetupStatements(config, secrets.server.secretArn);
    const resources = new RegionResources(this, context, secrets, statements);
    const { setup, topic, address, service } = resources;
    const { publicName, hostedZoneId } = config.domain;
    const publicRecord = setup.resource('PublicRecord', 'public-record', { publicName, hostedZoneId });
    // The public record is an alias of the regional record. Route 53 rejects an alias whose target does not exist.
    publicRecord.node.addDependency(address);
    const signingKeys = setup.resource('SigningKeys', 'signing-keys', { secretId: context.names.secrets.server });
    signingKeys.node.addDependency(secrets);
    // A server reads the secret only when it starts.
    service.service.node.addDependency(signingKeys);
    new WatcherAlarm(this, 'Watcher', { context, topic });
  }

  /** The configured zones. A lookup in the account would need credentials. */
  override get availabilityZones(): string[] {
    return [...this.#zones];
  }
}
