import type { Random } from '../time/random';
import { FAILOVER_PHASES, type Fault, type FaultKind, type RoomShape, type Scenario } from './scenario';

export type Draw = (random: Random, scenario: Scenario) => Scenario;

export const fault = (kind: FaultKind, where: string, atMs: number, forMs: number, amount = 0): Fault => ({
  ...{ kind, where, forMs, amount },
  when: { atMs: Math.max(0, atMs) },
});

/** Oregon is lost; it may come back at a bad moment. */
export function loss(
  random: Random,
  { chaosMs }: Pick<Scenario, 'chaosMs'>,
  atMs: number,
  kind: FaultKind = 'region-loss',
): Fault {
  const forMs = random.pick([180_000, 300_000, chaosMs]);
  const untilPhase = random.chance(0.4) ? { untilPhase: random.pick(FAILOVER_PHASES) } : {};
  return { ...fault(kind, 'oregon', atMs, forMs), ...untilPhase };
}

/** People decide at once: so soon that leases outlive the failover. */
const decided = (random: Random, atMs: number): Fault =>
  fault('operator', 'failover', atMs + random.between(2_000, 20_000), 1_000);

const NEIGHBOUR = { place: 'near-oregon', knowsRegions: true, thinksMs: 1_000, releaseShare: 0.7 } as const;

/** Customers who hold what they have. */
const keeping = (rooms: readonly RoomShape[]): RoomShape[] =>
  rooms.map((room) => ({ ...room, seats: 1, thinksMs: 5_000, releaseShare: 0.1, knowsRegions: true }));

const QUIET = { serversPerRegion: 1, controllers: 1 } as const;

/** Each of these stories leads to the very moment that one rule is for. */
export const STORIES = {
  /** S4: heartbeats of the last minutes are lost with the region, and what they renewed would end before it is asked for. */
  heartbeats: (random, scenario) => {
    const atMs = random.between(330_000, 420_000);
    const lagMs = random.between(100_000, 200_000);
    const lost = fault('region-loss', 'oregon', atMs, 600_000);
    const faults = [fault('stream-lag', 'oregon', atMs - lagMs - 20_000, 600_000, lagMs), lost, decided(random, atMs)];
    return { ...scenario, ...QUIET, leaseTtlMs: 300_000, rooms: keeping(scenario.rooms), chaosMs: 720_000, faults };
  },

  /** S4: a lease ended in the lost region while its holder slept, and its seat was sold again there. */
  lapsed: (random, scenario) => {
    const atMs = random.between(390_000, 480_000);
    const asleepAtMs = random.between(40_000, 80_000);
    const asleepMs = atMs - asleepAtMs + random.between(90_000, 200_000);
    const faults = [
      fault('cut', 'oregon<>virginia', asleepAtMs + random.between(0, 60_000), atMs + 600_000),
      ...[1, 2].map((number) => fault('installation-pause', `room-${number}`, asleepAtMs, asleepMs)),
      fault('region-loss', 'oregon', atMs, 600_000),
      decided(random, atMs),
    ];
    const pools = scenario.pools.map((pool) => ({ ...pool, seats: 2, overdraft: 0 }));
    const shape = { leaseTtlMs: 300_000, unprotectedAfterMs: 60_000, chaosMs: 840_000 };
    return { ...scenario, ...QUIET, ...shape, pools, rooms: keeping(scenario.rooms), faults };
  },

  /** S5: a server stops while an answer of its database is under way, and goes on when another region grants. */
  stopped: (random, scenario) => {
    const atMs = random.between(60_000, 120_000);
    const faults = [
      fault('isolation', 'oregon', atMs, 400_000),
      fault('operator', 'failover', atMs + 1_000, 1_000),
      fault('slow', 'oregon>oregon', atMs - 5_000, 60_000, random.between(1_500, 3_000)),
      fault('server-pause', 'oregon/app-1', atMs + random.between(500, 20_000), 200_000),
    ];
    const rooms = scenario.rooms.map((room) => ({ ...room, ...NEIGHBOUR }));
    return { ...scenario, ...QUIET, leaseTtlMs: 60_000, unprotectedAfterMs: 60_000, rooms, faults };
  },

  /** People give up a region that lives, and still hears of its authority. */
  severed: (random, scenario) => {
    const atMs = random.between(40_000, 120_000);
    const faults = [
      fault('cut', 'oregon<>virginia', atMs, 400_000),
      fault('cut', 'oregon<>edge', atMs, 400_000),
      decided(random, atMs),
    ];
    const rooms = scenario.rooms.map((room) => ({ ...room, ...NEIGHBOUR, thinksMs: 3_000 }));
    return { ...scenario, unprotectedAfterMs: 60_000, rooms, faults };
  },

  /** Only one of those who can tell knows that Oregon lives: the witness, the authority store, or the follower. */
  'one-knows': (random, scenario) => {
    const atMs = random.between(40_000, 120_000);
    const forMs = random.between(240_000, 320_000);
    const cut = fault('cut', 'oregon<>virginia', atMs, forMs);
    const faults = {
      witness: [cut, fault('database-crash', 'oregon', atMs, forMs)],
      store: [cut, fault('router-crash', 'oregon', atMs, forMs)],
      follower: [
        fault('slow', 'oregon<>virginia', atMs, forMs, random.between(60_000, 120_000)),
        fault('cut', 'oregon<>ohio', atMs, forMs),
      ],
    }[random.pick(['witness', 'store', 'follower'] as const)];
    return { ...scenario, faults };
  },

  /** Oregon is lost while the other region cannot take over. */
  unfit: (random, scenario) => {
    const atMs = random.between(60_000, 120_000);
    const servers = Array.from({ length: scenario.serversPerRegion }, (_, index) =>
      fault('server-crash', `virginia/app-${index + 1}`, atMs - 20_000, 400_000),
    );
    const unfit = random.chance(0.5) ? [fault('replay-pause', 'virginia', atMs - 20_000, 400_000)] : servers;
    return { ...scenario, faults: [...unfit, fault('region-loss', 'oregon', atMs, 300_000)] };
  },

  /** A controller stops between its look and its deed, and the region comes back meanwhile. */
  late: (random, scenario) => {
    const atMs = random.between(40_000, 90_000);
    const lost: Fault = { ...fault('region-loss', 'oregon', atMs, 400_000), untilPhase: 'latch' };
    const when = { atMs: atMs + 300_000, phase: 'latch', afterMs: random.between(900, 1_900) };
    const stop: Fault = { ...fault('controller-pause', 'controller-1', atMs, random.between(120_000, 180_000)), when };
    return { ...scenario, ...QUIET, faults: [lost, stop] };
  },

  /** A promotion that is long over, and was undone since, arrives at last. */
  belated: (random, scenario) => {
    const atMs = random.between(30_000, 60_000);
    // Only the first word is late: the controller asks again, and gets on.
    const late: Fault = {
      ...fault('slow', 'virginia>virginia', 0, random.between(150, 600), random.between(600_000, 900_000)),
      when: { atMs: 900_000, phase: 'promote', afterMs: 0 },
    };
    const back = fault('operator', 'failback', atMs + random.between(60_000, 100_000), 1_000);
    const faults = [fault('operator', 'failover', atMs, 1_000), late, back];
    return { ...scenario, ...QUIET, chaosMs: 780_000, faults };
  },

  /** What was borrowed is lost with the region, and nobody asks for it before the waiting is over. */
  borrowed: (random, scenario) => {
    const atMs = random.between(60_000, 150_000);
    const faults = [
      // From the beginning: a pool is full of borrows before long.
      fault('stream-lag', 'oregon', 1_000, 600_000, 200_000),
      fault('region-loss', 'oregon', atMs, 600_000),
      decided(random, atMs),
    ];
    const rooms = scenario.rooms.map((room, index) => ({
      ...{ ...room, seats: 1, thinksMs: 5_000, releaseShare: 0.05, knowsRegions: true },
      ...{ borrowShare: index % 2 === 0 ? 1 : 0, leasesMax: 2 },
    }));
    return { ...scenario, ...QUIET, leaseTtlMs: 60_000, chaosMs: 600_000, rooms, faults };
  },

  /** S4: a borrow outlasts the extension, and others wait for its seat when its time is over by the clock that is ahead. */
  lent: (random, scenario) => {
    const atMs = random.between(60_000, 150_000);
    const byPlan = random.chance(0.3);
    const lost = byPlan ? [] : [fault('region-loss', 'oregon', atMs, 600_000)];
    const rooms = scenario.rooms.map((room, index) => ({
      ...{ ...room, poolId: 1, seats: 1, leasesMax: 1, thinksMs: 1_000, releaseShare: 0, knowsRegions: true },
      ...{ borrowShare: index === 0 ? 1 : 0, queueShare: index === 0 ? 0 : 1 },
    }));
    return {
      ...{ ...scenario, ...QUIET, leaseTtlMs: 60_000, chaosMs: 1_080_000, rooms },
      aheadMs: { ...scenario.aheadMs, 'oregon/db': -2_500, 'virginia/db': 2_500 },
      pools: [{ seats: 1, overdraft: 0, escrow: 1 }],
      faults: [...lost, decided(random, atMs)],
    };
  },

  /** S3: the survivor is given back what it never heard of, and then old calls arrive again. */
  returned: (random, scenario) => {
    const atMs = random.between(100_000, 200_000);
    const old = Array.from({ length: 60 }, () =>
      fault('old-call', `room-${random.int(1, scenario.rooms.length)}`, atMs + random.between(80_000, 350_000), 1),
    );
    const faults = [
      fault('stream-lag', 'oregon', atMs - 90_000, 300_000, 150_000),
      fault('region-loss', 'oregon', atMs, 600_000),
      decided(random, atMs),
      ...old,
    ];
    // So seldom awake that the release is often the first that the survivor hears of a lease.
    const rooms = scenario.rooms.map((room) => ({
      ...{ ...room, poolId: 1, seats: 1, thinksMs: 60_000, releaseShare: 0.9, knowsRegions: true },
      ...{ borrowShare: 0, queueShare: 0, leasesMax: 3 },
    }));
    const pools = [{ escrow: 3, seats: 6, overdraft: 0 }];
    return { ...scenario, ...QUIET, leaseTtlMs: 600_000, chaosMs: 560_000, pools, rooms, faults };
  },

  /** A region that hears nothing of a failover renews its authority up to the opening, and is heard no more after it. */
  unlatched: (random, scenario) => {
    const atMs = random.between(30_000, 60_000);
    const decidedAtMs = atMs + random.between(90_000, 120_000);
    const inOpen = (kind: FaultKind, where: string, { afterMs, forMs }: { afterMs: number; forMs: number }): Fault => ({
      ...fault(kind, where, 0, forMs),
      when: { atMs: 900_000, phase: 'open', afterMs },
    });
    const faults = [
      fault('cut', 'oregon<>virginia', atMs, 600_000),
      fault('operator', 'failover', decidedAtMs, 1_000),
      fault('slow', 'virginia<>ohio', decidedAtMs, 600_000, 1_200),
      // Its next renewal comes late, and so long after the last one that was seen.
      inOpen('server-pause', 'oregon/app-1', { afterMs: 0, forMs: random.between(2_000, 7_000) }),
      inOpen('cut', 'oregon<>ohio', { afterMs: random.between(3_000, 9_000), forMs: 300_000 }),
    ];
    const rooms = scenario.rooms.map((room) => ({ ...room, ...NEIGHBOUR }));
    const shape = { leaseTtlMs: 60_000, unprotectedAfterMs: 60_000, chaosMs: 300_000, timersLateMsMax: 2_000 };
    return { ...scenario, ...QUIET, ...shape, rooms, faults };
  },

  /** A server stops while its checkpoint of the audit log is on its way, and goes on when another region begins to sign. */
  signed: (random, scenario) => {
    const atMs = random.between(50_000, 80_000);
    const faults = [
      fault('cut', 'oregon<>virginia', atMs - random.between(12_000, 40_000), 600_000),
      fault('slow', 'oregon<>ohio', atMs - 5_000, 10_000, 1_200),
      fault('server-pause', 'oregon/app-1', atMs, random.between(45_000, 120_000)),
      decided(random, atMs),
      fault('slow', 'virginia<>ohio', atMs + 30_000, 600_000, 1_200),
    ];
    const rooms = scenario.rooms.map((room) => ({ ...room, ...NEIGHBOUR, thinksMs: 3_000 }));
    const shape = { leaseTtlMs: 60_000, unprotectedAfterMs: 60_000, chaosMs: 240_000 };
    return { ...scenario, ...QUIET, ...shape, rooms, faults };
  },

  /** A controller stops while it watches, and goes on after the other one has moved the authority. */
  stale: (random, scenario) => {
    const atMs = random.between(30_000, 90_000);
    const faults = [
      fault('region-loss', 'oregon', atMs, 240_000),
      fault('controller-pause', 'controller-1', atMs + random.between(15_000, 85_000), random.between(60_000, 250_000)),
    ];
    return { ...scenario, serversPerRegion: 1, controllers: 2, leaseTtlMs: 60_000, chaosMs: 420_000, faults };
  },

  /** Clocks of servers, which decide nothing, are set as somebody likes. */
  clocks: (random, scenario) => {
    const jumps = Array.from({ length: random.int(1, 4) }, () => {
      const where = `oregon/app-${random.int(1, scenario.serversPerRegion)}`;
      const aheadMs = Math.round(random.between(-3_600_000, 3_600_000));
      return fault('clock', where, random.between(20_000, 300_000), random.between(30_000, 300_000), aheadMs);
    });
    return { ...scenario, rooms: keeping(scenario.rooms), faults: jumps };
  },
} satisfies Readonly<Record<string, Draw>>;
