import { Random } from '../src/time/random';
import { History } from './differential/history';
import { Twins } from './differential/twins';

/**
 * The simulated database against the real one: the same history, drawn from a seed, asked of both; every answer and every
 * row must be the same. Time passes by rows: a lease, or the waiting for unknown grants, is over when the history says so.
 */
const SEEDS = [1, 2, 3, 4, 5, 6];
const STEPS = 60;
/** Each of the two looks at its clock when it is asked. */
const CLOCKS_DIFFER_MS_MAX = 14_000;

jest.setTimeout(300_000);

let twins: Twins;

afterEach(() => twins?.drop());

/** What lives in one of them only, or ends there at another time. */
function differingEnds(one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): string[] {
  return [...new Set([...one.keys(), ...other.keys()])]
    .map((what) => ({ what, ms: (one.get(what) ?? 0) - (other.get(what) ?? 0) }))
    .filter(({ ms }) => Math.abs(ms) > CLOCKS_DIFFER_MS_MAX)
    .map(({ what, ms }) => `${what}: ${Math.round(ms)} ms`);
}

it.each(SEEDS)(
  'answers as PostgreSQL does, keeps the same rows and writes the same audit log (history %i)',
  async (seed) => {
    const random = new Random(seed);
    twins = await Twins.create(random);
    const { real, simulated, entitlement } = twins;
    const history = new History(random, entitlement);
    const told: string[] = [];
    for (let step = 0; step < STEPS; step++) {
      const { name, ask } = history.next();
      told.push(name);
      const simulatedSays = { told: told.slice(-6), answer: await ask(simulated), rows: await simulated.rows() };
      const realSays = { told: told.slice(-6), answer: await ask(real), rows: await real.rows() };
      expect(simulatedSays).toEqual(realSays);
      const differing = differingEnds(await simulated.ends(), await real.ends());
      expect({ told: told.slice(-6), differing }).toEqual({ told: told.slice(-6), differing: [] });
    }
    expect(await simulated.events()).toEqual(await real.events());
  },
);
