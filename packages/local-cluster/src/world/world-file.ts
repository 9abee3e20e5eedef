import { join } from 'node:path';
import type { Kind, Place } from '../layout';
import { writeFileAtomically } from './files';
import type { WorldLicense } from './licensing';

export type ProcessState = 'running' | 'paused' | 'exited';

/** A process as `.evergrant/world.json` and the control API show it. */
export interface ProcessEntry {
  readonly name: string;
  readonly kind: Kind;
  readonly place: Place | null;
  /** After the end of the process, its last pid. Null when it has never run. */
  readonly pid: number | null;
  readonly state: ProcessState;
  readonly url?: string;
}

/** The content of world.json, which operators' scripts read. It is rewritten atomically on every change of a pid. */
export interface WorldFile {
  readonly edge: string;
  readonly regions: Readonly<Record<'oregon' | 'virginia', { router: string; processes: readonly ProcessEntry[] }>>;
  readonly witness: { pid: number | null; url: string; processes: readonly ProcessEntry[] };
  readonly controller: { pid: number | null; processes: readonly ProcessEntry[] };
  readonly tokens: { admin: string; client: string };
  /** The licenses of the world: the signed files, and the license keys for the registration of Control Rooms. */
  readonly licenses: readonly WorldLicense[];
  /** The main process. It contains the database supervisor, the links between the regions and the control API. */
  readonly world: { pid: number; control: string; profile: string };
  /** Every process again, in one list. */
  readonly processes: readonly ProcessEntry[];
}

export const worldFilePath = (home: string): string => join(home, 'world.json');

export interface WorldFileInput {
  readonly processes: readonly ProcessEntry[];
  readonly tokens: { admin: string; client: string };
  readonly licenses: readonly WorldLicense[];
  readonly control: string;
  readonly profile: string;
}

export function composeWorldFile(input: WorldFileInput): WorldFile {
  const { processes, tokens, licenses, control, profile } = input;
  const find = (name: string): ProcessEntry => {
    const entry = processes.find((candidate) => candidate.name === name);
    if (!entry) throw new Error(`the world has no ${name}`);
    return entry;
  };
  const url = (name: string): string => find(name).url ?? '';
  const region = (place: 'oregon' | 'virginia') => ({
    router: url(`${place}/router`),
    processes: processes.filter((entry) => entry.place === place),
  });
  return {
    edge: url('edge'),
    regions: { oregon: region('oregon'), virginia: region('virginia') },
    witness: {
      pid: find('ohio/witness').pid,
      url: url('ohio/witness'),
      processes: processes.filter((entry) => entry.place === 'ohio'),
    },
    controller: { pid: find('controller').pid, processes: processes.filter(({ kind }) => kind === 'controller') },
    tokens,
    licenses,
    world: { pid: process.pid, control, profile },
    processes,
  };
}

/** Mode 0600, because the file contains the world's tokens. */
export function writeWorldFile(home: string, content: WorldFile): void {
  writeFileAtomically(worldFilePath(home), `${JSON.stringify(content, null, 2)}\n`, 0o600);
}
