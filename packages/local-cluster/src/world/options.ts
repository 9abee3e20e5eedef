import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Profile } from '../profiles';
import { projectRoot } from './files';
import { parseBasePort } from './ports';

export interface StartOptions {
  readonly home: string;
  readonly basePort: number;
  readonly profile: Profile;
  /** Keep databases and secrets when Ctrl-C ends the world. */
  readonly keep: boolean;
  /** Delete the databases of an earlier run instead of recovering them. */
  readonly fresh: boolean;
  /** Number of demo Control Rooms. */
  readonly rooms: number;
  /** Public root keys or trust files, besides the world's own root. @default none */
  readonly trustFiles?: readonly string[];
  readonly help: boolean;
}

export const START_HELP = `npm start -- [options]     two regions on one machine, until Ctrl-C

  --profile default|fast   fast: confirmed in seconds instead of two minutes (the drills' durations)
  --rooms N                demoLoad Control Rooms, 0 to 50 (default 6)
  --trust FILE             also accept license files of this root (its public key or a trust file); may be repeated
  --keep                   keep the databases on exit; the next start uses them again
  --fresh                  delete what an earlier run left, then start
  --help

EVERGRANT_PORT             base of all ports (default 8080: edge 8080, Oregon 8081, Virginia 8082)
EVERGRANT_HOME             where the world keeps its files (default .evergrant in the project)`;

/** Every validation error of the command line and the environment. */
export class OptionsError extends Error {
  readonly code = 'invalid_options';
}

function rawArguments(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        profile: { type: 'string', default: 'default' },
        rooms: { type: 'string', default: '6' },
        trust: { type: 'string', multiple: true, default: [] },
        keep: { type: 'boolean', default: false },
        fresh: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new OptionsError(`${(error as Error).message}\n\n${START_HELP}`);
  }
}

/** @throws OptionsError with every error. */
export function parseStartOptions(argv: readonly string[], environment: NodeJS.ProcessEnv): StartOptions {
  const raw = rawArguments(argv);
  const errors: string[] = [];
  let basePort = 0;
  try {
    basePort = parseBasePort(environment.EVERGRANT_PORT);
  } catch (error) {
    errors.push((error as Error).message);
  }
  if (raw.profile !== 'default' && raw.profile !== 'fast') {
    errors.push(`--profile is "${raw.profile}"; it must be default or fast`);
  }
  const rooms = Number(raw.rooms);
  if (!Number.isInteger(rooms) || rooms < 0 || rooms > 50) {
    errors.push(`--rooms is "${raw.rooms}"; it must be a whole number from 0 to 50`);
  }
  if (errors.length > 0) throw new OptionsError(errors.join('\n'));
  return {
    home: worldHome(environment),
    basePort,
    profile: raw.profile as Profile,
    keep: raw.keep,
    fresh: raw.fresh,
    rooms,
    trustFiles: raw.trust.map((file) => resolve(file)),
    help: raw.help,
  };
}

/** The default state directory of the commands. */
export function worldHome(environment: NodeJS.ProcessEnv): string {
  return environment.EVERGRANT_HOME ? resolve(environment.EVERGRANT_HOME) : join(projectRoot(), '.evergrant');
}
