import type { Random } from '../time/random';
import { FAULT_PROFILES } from './profiles';
import { drawOthers, type Fault, type Scenario } from './scenario';
import { fault } from './targeted';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Duration of an incident, unless its faults last to the end. */
const INCIDENT_MS = 8 * MINUTE_MS;
/** Profiles that consist of faults only. */
const PROFILES_OF_FAULTS: readonly (keyof typeof FAULT_PROFILES)[] = [
  'log-loss',
  'isolation',
  'unprotected',
  'paused-installations',
  'busy',
  'switchover',
  'short-outages',
  'two-controllers',
  'paused-server',
  'unreachable-region',
  'single-observer',
  'standby-not-ready',
  'late-latch',
  'late-promotion',
  'server-clocks',
  'late-calls',
  'late-writes',
  'second-follower',
  'taken-back',
  'late-imports',
];

/**
 * Draws a soak run of about a day: production lease times and request rates, idle hours, and an incident now and then,
 * after which operators mostly repair the deployment. Later incidents meet what earlier ones left: epochs, pending
 * fences, old client state, borrows.
 */
export function drawSoak(random: Random, plain: Scenario): Scenario {
  const rooms = plain.rooms.map((room) => ({ ...room, thinksMs: random.pick([1, 5, 15]) * MINUTE_MS }));
  const shape = { ...plain, rooms, leaseTtlMs: random.pick([10, 15]) * MINUTE_MS, skipsIdleTime: true, coarse: true };
  const chaosMs = random.between(8, 30) * HOUR_MS;
  const faults: Fault[] = [];
  for (let atMs = hours(random, 0.1, 2); atMs < chaosMs - HOUR_MS; atMs += hours(random, 1, 4)) {
    const scenario = { ...shape, chaosMs: INCIDENT_MS };
    const drawn = FAULT_PROFILES[random.pick(PROFILES_OF_FAULTS)](random, scenario);
    faults.push(...[...drawn.faults, ...drawOthers(random, scenario, 2)].map((each) => later(each, atMs)));
    if (random.chance(0.8)) faults.push(...repair(random, atMs));
  }
  return { ...shape, chaosMs, faults };
}

const hours = (random: Random, min: number, max: number): number => random.between(min, max) * HOUR_MS;

/** Operators fail back and arm the automation again. */
function repair(random: Random, atMs: number): Fault[] {
  const backAtMs = atMs + random.between(20, 40) * MINUTE_MS;
  return [
    fault('operator', 'failback', backAtMs, 1_000),
    fault('operator', 'arm', backAtMs + random.between(10, 20) * MINUTE_MS, 1_000),
  ];
}

/** Shifts a fault in time; a fault that awaits a phase ignores earlier operations. */
function later(each: Fault, byMs: number): Fault {
  const { when } = each;
  return { ...each, when: { ...when, atMs: when.atMs + byMs, ...(when.phase === undefined ? {} : { fromMs: byMs }) } };
}
