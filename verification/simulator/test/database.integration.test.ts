import { Random } from '../src/time/random';
import { DatabasePair } from './differential/database-pair';
import { History } from './differential/history';

/**
 * Differential test: applies the same random history to the simulated database and to PostgreSQL. Every answer and every
 * row must be equal. Time passes by changed rows: the history sets when a lease or a hold-back ends.
 */
const SEEDS = [1, 2, 3, 4, 5, 6];
const STEPS = 60;
/** The two read their clocks at different times. */
const CLOCKS_DIFFER_MS_MAX = 14_000;

jest.setTimeout(300_000);

let pair: DatabasePair;

afterEach(() => pair?.drop());

/** Rows that only one database has, or that end at different times. */
function differingEnds(one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): string[] {
  return [...new Set([...one.keys(), ...other.keys()])]
    .map((what) => ({ what, ms: (one.get(what) ?? 0) - (other.get(what) ?? 0) }))
    .filter(({ ms }) => Math.abs(ms) > CLOCKS_DIFFER_MS_MAX)
    .map(({ what, ms }) => `${what}: ${Math.round(ms)} ms`);
}

it.each(SEEDS)('simulated database: equals PostgreSQL in answers, rows and audit log (history %i)', async (seed) => {
  const random = new Random(seed);
  pair = await DatabasePair.create(random);
  const { real, simulated, entitlement } = pair;
  const history = new History(random, entitlement);
  const steps: string[] = [];
  for (let step = 0; step < STEPS; step++) {
    const { name, apply } = history.next();
    steps.push(name);
    const fromModel = { steps: steps.slice(-6), answer: await apply(simulated), rows: await simulated.rows() };
    const fromPostgres = { steps: steps.slice(-6), answer: await apply(real), rows: await real.rows() };
    expect(fromModel).toEqual(fromPostgres);
    const differing = differingEnds(await simulated.ends(), await real.ends());
    expect({ steps: steps.slice(-6), differing }).toEqual({ steps: steps.slice(-6), differing: [] });
  }
  expect(await simulated.events()).toEqual(await real.events());
});
