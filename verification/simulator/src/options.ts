import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { RULE_NAMES, type Rule } from './mutations';
import { ALL_PROFILES } from './scenario/draw';
import type { FaultProfile } from './scenario/profiles';

const WORKERS_MAX = 2;
const PROFILE_NAMES = Object.keys(ALL_PROFILES) as FaultProfile[];

export const USAGE = `npm run simulate -- [--seeds N] [--from SEED] [--disable RULE] [--workers N] [--json] [--whole]
npm run simulate -- --ci
npm run simulate -- --rules [--seeds N] [--store FOLDER]

  --seeds N       number of runs (default 200)
  --from SEED     first seed (default: taken from the time, and printed)
  --disable RULE  disable a rule in the simulator; may be repeated
  --profile NAME  draw scenarios of one profile only: ${PROFILE_NAMES.join(', ')}
  --workers N     threads (default: one per processor, at most ${WORKERS_MAX})
  --within S      stop after S seconds
  --whole         print a failure's whole trace instead of the trace of its shrunk scenario
  --json          print one JSON document with the scenario of each failure
  --ci            run 400 fixed seeds: the same on every machine, about 45 s on 2 cores
  --rules         search, for each disabled rule, the first seed that violates an invariant
  --store FOLDER  with --rules: write the shrunk scenario of each rule to a file for the regression tests
  --help          print this text

Rules: ${RULE_NAMES.join(', ')}.
Exit code 0: no invariant was violated (with --rules: every disabled rule was detected); 1: otherwise; 2: usage error.`;

export interface Options {
  readonly seeds: number;
  readonly from: number;
  readonly disabled: readonly Rule[];
  readonly workers: number;
  readonly withinMs: number | undefined;
  readonly json: boolean;
  readonly whole: boolean;
  readonly profile: FaultProfile | undefined;
  readonly store: string | undefined;
}

export type Mode = 'seeds' | 'ci' | 'rules' | 'help';

export class UsageError extends Error {}

/** Throws `UsageError`. */
export function readOptions(args: readonly string[]): { options: Options; mode: Mode } {
  const values = parse(args);
  const options = {
    json: values.json,
    whole: values.whole,
    store: values.store,
    disabled: values.disable.map((name) => oneOf('--disable', name, RULE_NAMES)),
    profile: values.profile === undefined ? undefined : oneOf('--profile', values.profile, PROFILE_NAMES),
    seeds: wholeNumber('--seeds', values.seeds),
    from: wholeNumber('--from', values.from),
    workers: wholeNumber('--workers', values.workers),
    withinMs: values.within === undefined ? undefined : wholeNumber('--within', values.within) * 1_000,
  };
  const mode = values.help ? 'help' : values.rules ? 'rules' : values.ci ? 'ci' : 'seeds';
  return { options, mode };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        seeds: { type: 'string', default: '200' },
        from: { type: 'string', default: String(Math.floor(Date.now() / 1_000) % 100_000_000) },
        disable: { type: 'string', multiple: true, default: [] },
        workers: { type: 'string', default: String(Math.min(WORKERS_MAX, cpus().length)) },
        within: { type: 'string' },
        store: { type: 'string' },
        profile: { type: 'string' },
        json: { type: 'boolean', default: false },
        whole: { type: 'boolean', default: false },
        ci: { type: 'boolean' },
        rules: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function oneOf<T extends string>(option: string, name: string, known: readonly T[]): T {
  const found = known.find((each) => each === name);
  if (found === undefined) throw new UsageError(`${option} ${name}: unknown name; known are ${known.join(', ')}`);
  return found;
}

function wholeNumber(option: string, text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new UsageError(`${option} must be a whole number of at least 1, not "${text}"`);
  return number;
}
