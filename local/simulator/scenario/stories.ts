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

  /** A word of an operation that is long over arrives at last. */
  belated: (random, scenario) => {
    const atMs = random.between(30_000, 60_000);
    const inPromote = (kind: FaultKind, amount: number): Fault => ({
      ...fault(kind, 'virginia>virginia', 0, random.between(1_500, 5_000), amount),
      when: { atMs: atMs + 300_000, phase: 'promote', afterMs: random.between(0, 1_500) },
    });
    const faults = [
      fault('operator', 'failover', atMs, 1_000),
      inPromote('slow', random.between(300_000, 500_000)),
      inPromote('twice', 1),
      fault('operator', 'failback', atMs + random.between(100_000, 160_000), 1_000),
    ];
    return { ...scenario, ...QUIET, chaosMs: 900_000, faults };
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

  /** The survivor is given back what it never heard of, and then old calls arrive again. */
  returned: (random, scenario) => {
    const atMs = random.between(60_000, 150_000);
    const old = Array.from({ length: 60 }, () =>
      fault('old-call', `room-${random.int(1, scenario.rooms.length)}`, atMs + random.between(50_000, 200_000), 1),
    );
    const faults = [
      fault('stream-lag', 'oregon', atMs - 60_000, 300_000, 150_000),
      fault('region-loss', 'oregon', atMs, 600_000),
      decided(random, atMs),
      ...old,
    ];
    const rooms = scenario.rooms.map((room) => ({
      ...{ ...room, seats: 1, thinksMs: 1_000, releaseShare: 0.7, knowsRegions: true },
      leasesMax: 3,
    }));
    const pools = scenario.pools.map((pool) => ({ ...pool, escrow: 3, seats: 6 }));
    return { ...scenario, ...QUIET, leaseTtlMs: 600_000, chaosMs: 600_000, pools, rooms, faults };
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
