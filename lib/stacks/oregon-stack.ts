import { Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { WatcherAlarm } from '../alarms/controller-alarms';
import type { DeploymentConfig } from '../config/deployment-config';
import { regionContext } from '../config/region-context';
import { PrimarySecrets } from '../secrets/deployment-secrets';
import { primarySetupStatements } from '../setup/setup-rights';
import { RegionRooms } from './region-rooms';

/** The primary region. */
export class OregonStack extends Stack {
  readonly #zones: readonly string[];

  constructor(scope: Construct, id: string, { config, ...props }: StackProps & { readonly config: DeploymentConfig }) {
    super(scope, id, props);
    this.#zones = config.network.oregon.availabilityZones;
    const context = regionContext(config, 'oregon');
    const secrets = new PrimarySecrets(this, 'Secrets', context);
    const { setup, topic } = new RegionRooms(this, context, secrets, primarySetupStatements(context));
    const { publicName, hostedZoneId } = config.domain;
    setup.resource('PublicRecord', 'public-record', { publicName, hostedZoneId });
    setup
      .resource('SigningKeys', 'signing-keys', { secretId: context.names.secrets.server })
      .node.addDependency(secrets);
    new WatcherAlarm(this, 'Watcher', { context, topic });
  }

  /** As configured: asking the account would take credentials. */
  override get availabilityZones(): string[] {
    return [...this.#zones];
  }
}
