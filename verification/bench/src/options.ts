import { parseArgs } from 'node:util';
import { type BenchCase, CASES } from './cases';
import { CONNECTIONS_MAX } from './seats';

const IDLE_SESSIONS = 'idle-sessions';
const FAILOVER = 'failover';

export const BENCH_USAGE = `npm run bench [-- OPTIONS]     measure the license server beside PostgreSQL's own commit rate

  --only CASE      repeatable; a case, or a prefix of case names. Baselines are measured too. The cases:
${CASES.map(({ name, what, measured }) => `    ${measured === 'when named' ? '*' : ' '} ${name.padEnd(34)} ${what}`).join('\n')}
      ${IDLE_SESSIONS.padEnd(34)} memory of idle sessions
      ${FAILOVER.padEnd(34)} time to the first grant after the loss of a region
                   * only when named
  --rounds N       number of rounds; figures are medians (default 5; short: 3)
  --seconds N      measured time of a case in a round (default 3; short: 0.7)
  --connections N  default 64
  --failovers N    for ${FAILOVER} (default 3; short: none unless named)
  --sessions N     for ${IDLE_SESSIONS} (default 10,000; short: 2,000)
  --short          the short form for continuous integration: mainly the cases with assertions
  --profile DIR    write a V8 CPU profile of each server to this folder
  --json           print the figures as one JSON document
  --help

Exit code 0: all assertions held; 1: an assertion failed or a case could not be completed; 2: usage error.`;

type NumberOption = 'rounds' | 'seconds' | 'connections' | 'sessions' | 'failovers';

export class BenchUsageError extends Error {}

export interface BenchOptions {
  readonly cases: readonly BenchCase[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly connections: number;
  /** Number of idle sessions whose memory is measured; 0: none. */
  readonly idleSessions: number;
  /** Number of measured failovers. */
  readonly failovers: number;
  readonly profileTo: string | undefined;
  readonly json: boolean;
  readonly help: boolean;
}

const FAILOVERS_MAX = 100;
/** Limit of the local ports of one address. */
const SESSIONS_MAX = 25_000;

/** Reads the command line. Throws `BenchUsageError`. */
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
      throw new BenchUsageError(`--${name} is "${text}"; it must be a whole number from 1 to ${max}`);
    }
    return value;
  };
  return {
    cases: only.length > 0 ? selectCases(only) : CASES.filter((each) => isMeasured(each, { short })),
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
    throw new BenchUsageError((cause as Error).message, { cause });
  }
}

/** A complete name selects one case: `pairs-1000` does not select `pairs-10000`. */
function matches(name: string, selector: string): boolean {
  return CASES.some((each) => each.name === selector) ? name === selector : name.startsWith(selector);
}

function requireKnown(only: readonly string[]): void {
  const names = [...CASES.map(({ name }) => name), IDLE_SESSIONS, FAILOVER];
  const unknown = only.filter((selector) => !names.some((name) => name.startsWith(selector)));
  if (unknown.length === 0) return;
  throw new BenchUsageError(
    `there is no case ${unknown.map((selector) => `"${selector}"`).join(', ')}; there are: ${names.join(', ')}`,
  );
}

/** Whether a run without --only measures the case. */
function isMeasured({ measured }: BenchCase, { short }: { short: boolean }): boolean {
  return measured === undefined || (measured === 'not in short' && !short);
}

/** The selected cases with their baselines, in table order. */
function selectCases(only: readonly string[]): readonly BenchCase[] {
  const named = CASES.filter(({ name }) => only.some((selector) => matches(name, selector)));
  const baselines = new Set(named.map(({ against }) => against));
  return CASES.filter((each) => named.includes(each) || baselines.has(each.name));
}
