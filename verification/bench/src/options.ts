import { parseArgs } from 'node:util';
import { type BenchCase, CASES } from './cases';
import { CONNECTIONS_MAX } from './seats';

const IDLE_SESSIONS = 'idle-sessions';
const FAILOVER = 'failover';

export const HELP = `npm run bench [-- OPTIONS]     how fast the license server is, beside what PostgreSQL commits by itself

  --only CASE      repeatable; a case, or the beginning of several names. Baselines are measured along. The cases:
${CASES.map(({ name, what, measured }) => `    ${measured === 'when named' ? '*' : ' '} ${name.padEnd(34)} ${what}`).join('\n')}
      ${IDLE_SESSIONS.padEnd(34)} memory of sessions that say nothing
      ${FAILOVER.padEnd(34)} time to the first grant after the loss of a region
                   * only when it is named
  --rounds N       every case is measured so often; figures are medians (default 5; short: 3)
  --seconds N      measured time of a case in a round (default 3; short: 0.7)
  --connections N  default 64
  --failovers N    for ${FAILOVER} (default 3; short: none unless it is named)
  --sessions N     for ${IDLE_SESSIONS} (default 10,000; short: 2,000)
  --short          the form for continuous integration: what the exit code depends on, and little else
  --profile DIR    writes a V8 CPU profile of each server there
  --json           the figures as one JSON document on standard output
  --help

Exit code 0: the ratios that must hold on any machine held; 1: one did not, or a case could not be carried through;
2: the command line is wrong.`;

type NumberOption = 'rounds' | 'seconds' | 'connections' | 'sessions' | 'failovers';

export class UsageError extends Error {}

export interface BenchOptions {
  readonly cases: readonly BenchCase[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly connections: number;
  /** Whose memory is measured at the end; 0: none. */
  readonly idleSessions: number;
  /** How many regions are lost at the end. */
  readonly failovers: number;
  readonly profileTo: string | undefined;
  readonly json: boolean;
  readonly help: boolean;
}

const FAILOVERS_MAX = 100;
/** One address has no more ports to call from. */
const SESSIONS_MAX = 25_000;

/** Reads the command line. Throws `UsageError` with what to write instead. */
export function parseOptions(argv: readonly string[]): BenchOptions {
  const { values } = parsed(argv);
  const { short, only } = values;
  requireKnown(only);
  const idle = only.length === 0 || only.includes(IDLE_SESSIONS);
  const failover = only.length === 0 ? !short : only.includes(FAILOVER);
  const number = (name: NumberOption, fallback: number, max: number): number => {
    const text = values[name];
    const value = Number(text);
    if (text === undefined) return fallback;
    if (!Number.isInteger(value) || value < 1 || value > max) {
      throw new UsageError(`--${name} is "${text}"; it must be a whole number from 1 to ${max}`);
    }
    return value;
  };
  return {
    cases: only.length > 0 ? wanted(only) : CASES.filter((each) => isMeasured(each, { short })),
    rounds: number('rounds', short ? 3 : 5, 1_000),
    seconds: number('seconds', short ? 0.7 : 3, 3_600),
    warmUpSeconds: short ? 0.3 : 1,
    connections: number('connections', 64, CONNECTIONS_MAX),
    idleSessions: idle ? number('sessions', short ? 2_000 : 10_000, SESSIONS_MAX) : 0,
    failovers: failover ? number('failovers', 3, FAILOVERS_MAX) : 0,
    profileTo: values.profile,
    json: values.json,
    help: values.help,
  };
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        only: { type: 'string', multiple: true, default: [] },
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        connections: { type: 'string' },
        sessions: { type: 'string' },
        failovers: { type: 'string' },
        profile: { type: 'string' },
        short: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (cause) {
    throw new UsageError((cause as Error).message, { cause });
  }
}

/** A whole name means one case; `pairs-1000` is not also `pairs-10000`. */
function isMeant(name: string, wish: string): boolean {
  return CASES.some((each) => each.name === wish) ? name === wish : name.startsWith(wish);
}

function requireKnown(only: readonly string[]): void {
  const names = [...CASES.map(({ name }) => name), IDLE_SESSIONS, FAILOVER];
  const unknown = only.filter((wish) => !names.some((name) => name.startsWith(wish)));
  if (unknown.length === 0) return;
  throw new UsageError(
    `there is no case ${unknown.map((wish) => `"${wish}"`).join(', ')}; there are: ${names.join(', ')}`,
  );
}

/** Of a run in which nothing is named. */
function isMeasured({ measured }: BenchCase, { short }: { short: boolean }): boolean {
  return measured === undefined || (measured === 'not in short' && !short);
}

/** With their baselines, in the order of the table. */
function wanted(only: readonly string[]): readonly BenchCase[] {
  const named = CASES.filter(({ name }) => only.some((wish) => isMeant(name, wish)));
  const baselines = new Set(named.map(({ against }) => against));
  return CASES.filter((each) => named.includes(each) || baselines.has(each.name));
}
