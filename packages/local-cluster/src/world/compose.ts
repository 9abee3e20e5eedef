import { join } from 'node:path';
import type { Layout } from '../layout';
import { PROFILE_DURATIONS, type Profile } from '../profiles';
import { Databases } from './databases';
import { childDefinitions, type EnvironmentInput } from './environment';
import type { EventLog } from './events';
import { projectRoot } from './files';
import { FreezePropagation } from './freeze-propagation';
import { prepareLicensing, type WorldLicensing } from './licensing';
import { NetworkLinks } from './network-links';
import { NodeProcesses } from './node-processes';
import { ProcessTable } from './process-table';
import { loadOrCreateSecrets, type SecretFiles, type WorldSecrets, writeSecretFiles } from './secrets';
import { StatusPoller } from './status-poller';

/** The components of a world. */
export interface WorldComponents {
  readonly secrets: WorldSecrets;
  readonly secretFiles: SecretFiles;
  readonly licensing: WorldLicensing;
  readonly environment: EnvironmentInput;
  readonly links: NetworkLinks;
  readonly databases: Databases;
  readonly nodes: NodeProcesses;
  readonly processes: ProcessTable;
  readonly statusPoller: StatusPoller;
  readonly freezePropagation: FreezePropagation;
}

export interface CompositionOptions {
  readonly home: string;
  readonly layout: Layout;
  readonly profile: Profile;
  readonly events: EventLog;
  /** A license document without its kind, validity and license key. */
  readonly draftFile: string;
  /** Public root keys or trust files of further vendors, besides the world's own root. */
  readonly trustFiles: readonly string[];
  /** Called on every change of a pid. */
  readonly onChange: () => void;
}

const POLL_INTERVAL_MS: Readonly<Record<Profile, number>> = { default: 1_000, fast: 250 };

/** Creates the components and their secrets in the world's folder. It starts no process and opens no port. */
export async function composeWorld(options: CompositionOptions): Promise<WorldComponents> {
  const { home, layout, profile, events, onChange, draftFile, trustFiles } = options;
  const secretsDir = join(home, 'secrets');
  const secrets = await loadOrCreateSecrets(secretsDir);
  const licensing = await prepareLicensing({ dir: join(secretsDir, 'licensing'), draftFile, trustFiles });
  const secretFiles = writeSecretFiles(secretsDir, secrets, licensing.deploymentKey);
  const durations = PROFILE_DURATIONS[profile];
  const { trustFile } = licensing;
  const environment = { layout, home, profile, durations, secretFiles, trustFile, logLevel: 'info' };
  const distDir = join(projectRoot(), 'dist');
  const logDir = join(home, 'logs');
  const nodes = new NodeProcesses(childDefinitions(environment), { distDir, logDir, home, events, onChange });
  const databases = new Databases({ home, layout, profile, secrets, events, onChange });
  return {
    secrets,
    secretFiles,
    licensing,
    environment,
    links: new NetworkLinks(layout, events),
    databases,
    nodes,
    processes: new ProcessTable({ layout, nodes, databases }),
    statusPoller: new StatusPoller({
      layout,
      adminToken: secrets.tokens.admin,
      intervalMs: POLL_INTERVAL_MS[profile],
    }),
    freezePropagation: new FreezePropagation(databases.freezableProcesses()),
  };
}
