import type { Random } from '../time/random';
import { TALES } from './profiles';
import { drawOthers, type Fault, type Scenario } from './scenario';
import { fault } from './targeted';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** What happens in one misfortune is over by then, if it ends at all. */
const MISFORTUNE_MS = 8 * MINUTE_MS;
/** Stories that are told by faults alone. */
const TOLD_BY_FAULTS: readonly (keyof typeof TALES)[] = [
  ...(['tail', 'isolation', 'unprotected', 'sleepers', 'busy', 'plan', 'blink', 'controllers'] as const),
  ...(['stopped', 'severed', 'one-knows', 'unfit', 'late', 'belated', 'clocks', 'returned'] as const),
];

/**
 * A day or so as a deployment has them: leases and customers at the pace of production, hours in which nothing happens,
 * and now and then a misfortune, after which people put things right, or not. What a misfortune leaves behind meets the
 * next one: later epochs, debts, old state, borrows.
 */
export function drawDays(random: Random, plain: Scenario): Scenario {
  const rooms = plain.rooms.map((room) => ({ ...room, thinksMs: random.pick([1, 5, 15]) * MINUTE_MS }));
  const shape = { ...plain, rooms, leaseTtlMs: random.pick([10, 15]) * MINUTE_MS, leaps: true, coarse: true };
  const chaosMs = random.between(8, 30) * HOUR_MS;
  const faults: Fault[] = [];
  for (let atMs = hours(random, 0.1, 2); atMs < chaosMs - HOUR_MS; atMs += hours(random, 1, 4)) {
    const scenario = { ...shape, chaosMs: MISFORTUNE_MS };
    const told = TALES[random.pick(TOLD_BY_FAULTS)](random, scenario);
    faults.push(...[...told.faults, ...drawOthers(random, scenario, 2)].map((each) => later(each, atMs)));
    if (random.chance(0.8)) faults.push(...putRight(random, atMs));
  }
  return { ...shape, chaosMs, faults };
}

const hours = (random: Random, min: number, max: number): number => random.between(min, max) * HOUR_MS;

/** People move the authority back when the region is well again, and let the controller decide by itself again. */
function putRight(random: Random, atMs: number): Fault[] {
  const backAtMs = atMs + random.between(20, 40) * MINUTE_MS;
  return [
    fault('operator', 'failback', backAtMs, 1_000),
    fault('operator', 'arm', backAtMs + random.between(10, 20) * MINUTE_MS, 1_000),
  ];
}

/** What waits for a phase of an operation waits for one that comes no earlier. */
function later(each: Fault, byMs: number): Fault {
  const { when } = each;
  return { ...each, when: { ...when, atMs: when.atMs + byMs, ...(when.phase === undefined ? {} : { fromMs: byMs }) } };
}
