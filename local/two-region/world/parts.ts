import { join } from 'node:path';
import type { Layout } from '../layout';
import { PROFILE_DURATIONS, type Profile } from '../profiles';
import { Databases } from './databases';
import { childDefinitions, type EnvironmentInput } from './environment';
import type { EventLog } from './events';
import { projectRoot } from './files';
import { Freezing } from './freezing';
import { Links } from './links';
import { NodeProcesses } from './node-processes';
import { Observer } from './observer';
import { ProcessTable } from './process-table';
import { loadOrCreateSecrets, type SecretFiles, type WorldSecrets, writeSecretFiles } from './secrets';

/** What a world is made of. */
export interface Parts {
  readonly secrets: WorldSecrets;
  readonly secretFiles: SecretFiles;
  readonly environment: EnvironmentInput;
  readonly links: Links;
  readonly databases: Databases;
  readonly nodes: NodeProcesses;
  readonly processes: ProcessTable;
  readonly observer: Observer;
  readonly freezing: Freezing;
}

export interface PartsOptions {
  readonly home: string;
  readonly layout: Layout;
  readonly profile: Profile;
  readonly events: EventLog;
  /** Called whenever a pid came or went. */
  readonly onChange: () => void;
}

const OBSERVED_EVERY_MS: Readonly<Record<Profile, number>> = { default: 1_000, fast: 250 };

/** Makes the parts and their secrets, in the world's folder. Nothing runs or listens yet. */
export async function assembleParts({ home, layout, profile, events, onChange }: PartsOptions): Promise<Parts> {
  const secretsDir = join(home, 'secrets');
  const secrets = await loadOrCreateSecrets(secretsDir);
  const secretFiles = writeSecretFiles(secretsDir, secrets);
  const durations = PROFILE_DURATIONS[profile];
  const environment = { layout, home, profile, durations, secretFiles, logLevel: 'info' };
  const distDir = join(projectRoot(), 'dist');
  const logDir = join(home, 'logs');
  const nodes = new NodeProcesses(childDefinitions(environment), { distDir, logDir, home, events, onChange });
  const databases = new Databases({ home, layout, profile, secrets, events, onChange });
  return {
    secrets,
    secretFiles,
    environment,
    links: new Links(layout, events),
    databases,
    nodes,
    processes: new ProcessTable({ layout, nodes, databases }),
    observer: new Observer({
      layout,
      adminToken: secrets.tokens.admin,
      intervalMs: OBSERVED_EVERY_MS[profile],
    }),
    freezing: new Freezing(databases.freezables()),
  };
}
