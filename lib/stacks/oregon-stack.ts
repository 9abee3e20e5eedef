import { Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { WatcherAlarm } from '../alarms/controller-alarms';
import type { DeploymentConfig } from '../config/deployment-config';
import { regionContext } from '../config/region-context';
import { PrimarySecrets } from '../secrets/deployment-secrets';
import { primarySetupStatements } from '../setup/setup-policy';
import { RegionRooms } from './region-resources';

/** The primary region. */
export class OregonStack extends Stack {
  readonly #zones: readonly string[];

  constructor(scope: Construct, id: string, { config, ...props }: StackProps & { readonly config: DeploymentConfig }) {
    super(scope, id, props);
    this.#zones = config.network.oregon.availabilityZones;
    const context = regionContext(config, 'oregon');
    const secrets = new PrimarySecrets(this, 'Secrets', context);
    const statements = primarySetupStatements(config, secrets.server.secretArn);
    const rooms = new RegionRooms(this, context, secrets, statements);
    const { setup, topic, address, service } = rooms;
    const { publicName, hostedZoneId } = config.domain;
    const publicRecord = setup.resource('PublicRecord', 'public-record', { publicName, hostedZoneId });
    // It leads to the regional record, and Route 53 takes no alias whose target it does not know.
    publicRecord.node.addDependency(address);
    const signingKeys = setup.resource('SigningKeys', 'signing-keys', { secretId: context.names.secrets.server });
    signingKeys.node.addDependency(secrets);
    // A server reads the secret once, when it starts.
    service.service.node.addDependency(signingKeys);
    new WatcherAlarm(this, 'Watcher', { context, topic });
  }

  /** As configured: asking the account would take credentials. */
  override get availabilityZones(): string[] {
    return [...this.#zones];
  }
}
