import type { Random } from '../time/random';
import { FAILOVER_PHASES, type Fault, type FaultKind, type RoomShape, type Scenario } from './scenario';

export type ScenarioProfile = (random: Random, scenario: Scenario) => Scenario;

export const fault = (kind: FaultKind, where: string, atMs: number, forMs: number, amount = 0): Fault => ({
  kind,
  where,
  forMs,
  amount,
  when: { atMs: Math.max(0, atMs) },
});

/** Oregon is lost, and may return in a phase of the failover. */
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

/** An operator orders the failover early, so that leases outlive it. */
const orderedFailover = (random: Random, atMs: number): Fault =>
  fault('operator', 'failover', atMs + random.between(2_000, 20_000), 1_000);

const NEIGHBOUR = { place: 'near-oregon', knowsRegions: true, thinksMs: 1_000, releaseShare: 0.7 } as const;

/** Installations that rarely release. */
const holding = (rooms: readonly RoomShape[]): RoomShape[] =>
  rooms.map((room) => ({ ...room, seats: 1, thinksMs: 5_000, releaseShare: 0.1, knowsRegions: true }));

const MINIMAL = { serversPerRegion: 1, controllers: 1 } as const;

/** Each profile leads to the situation that one rule is for. */
export const TARGETED_PROFILES = {
  /** S4: the region's last heartbeats are lost; without extension the leases that they renewed would end too early. */
  'lost-heartbeats': (random, scenario) => {
    const atMs = random.between(330_000, 420_000);
    const lagMs = random.between(100_000, 200_000);
    const lost = fault('region-loss', 'oregon', atMs, 600_000);
    const faults = [
      fault('stream-lag', 'oregon', atMs - lagMs - 20_000, 600_000, lagMs),
      lost,
      orderedFailover(random, atMs),
    ];
    return { ...scenario, ...MINIMAL, leaseTtlMs: 300_000, rooms: holding(scenario.rooms), chaosMs: 720_000, faults };
  },

  /** S4: a lease ended in the lost region while its holder was paused, and its seat was granted again there. */
  'expired-in-lost-region': (random, scenario) => {
    const atMs = random.between(390_000, 480_000);
    const pausedAtMs = random.between(40_000, 80_000);
    const pausedMs = atMs - pausedAtMs + random.between(90_000, 200_000);
    const faults = [
      fault('cut', 'oregon<>virginia', pausedAtMs + random.between(0, 60_000), atMs + 600_000),
      ...[1, 2].map((number) => fault('installation-pause', `room-${number}`, pausedAtMs, pausedMs)),
      fault('region-loss', 'oregon', atMs, 600_000),
      orderedFailover(random, atMs),
    ];
    const pools = scenario.pools.map((pool) => ({ ...pool, seats: 2, overdraft: 0 }));
    const shape = { leaseTtlMs: 300_000, unprotectedAfterMs: 60_000, chaosMs: 840_000 };
    return { ...scenario, ...MINIMAL, ...shape, pools, rooms: holding(scenario.rooms), faults };
  },

  /** S5: a server pauses while it waits for its database, and resumes when the other region grants. */
  'paused-server': (random, scenario) => {
    const atMs = random.between(60_000, 120_000);
    const faults = [
      fault('isolation', 'oregon', atMs, 400_000),
      fault('operator', 'failover', atMs + 1_000, 1_000),
      fault('slow', 'oregon>oregon', atMs - 5_000, 60_000, random.between(1_500, 3_000)),
      fault('server-pause', 'oregon/app-1', atMs + random.between(500, 20_000), 200_000),
    ];
    const rooms = scenario.rooms.map((room) => ({ ...room, ...NEIGHBOUR }));
    return { ...scenario, ...MINIMAL, leaseTtlMs: 60_000, unprotectedAfterMs: 60_000, rooms, faults };
  },

  /** Operators fail over from a running region that still reaches the authority store. */
  'unreachable-region': (random, scenario) => {
    const atMs = random.between(40_000, 120_000);
    const faults = [
      fault('cut', 'oregon<>virginia', atMs, 400_000),
      fault('cut', 'oregon<>edge', atMs, 400_000),
      orderedFailover(random, atMs),
    ];
    const rooms = scenario.rooms.map((room) => ({ ...room, ...NEIGHBOUR, thinksMs: 3_000 }));
    return { ...scenario, unprotectedAfterMs: 60_000, rooms, faults };
  },

  /** Only one observer sees Oregon alive: the witness, the authority store or the follower. */
  'single-observer': (random, scenario) => {
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

  /** Oregon is lost while the other region is not ready to take over. */
  'standby-not-ready': (random, scenario) => {
    const atMs = random.between(60_000, 120_000);
    const servers = Array.from({ length: scenario.serversPerRegion }, (_, index) =>
      fault('server-crash', `virginia/app-${index + 1}`, atMs - 20_000, 400_000),
    );
    const unfit = random.chance(0.5) ? [fault('replay-pause', 'virginia', atMs - 20_000, 400_000)] : servers;
    return { ...scenario, faults: [...unfit, fault('region-loss', 'oregon', atMs, 300_000)] };
  },

  /** A controller pauses between observation and latch, and the region recovers before the latch. */
  'late-latch': (random, scenario) => {
    const atMs = random.between(40_000, 90_000);
    const lost: Fault = { ...fault('region-loss', 'oregon', atMs, 400_000), untilPhase: 'latch' };
    const when = { atMs: atMs + 300_000, phase: 'latch' as const, afterMs: random.between(900, 1_900) };
    const stop: Fault = { ...fault('controller-pause', 'controller-1', atMs, random.between(120_000, 180_000)), when };
    return { ...scenario, ...MINIMAL, faults: [lost, stop] };
  },

  /** A delayed promotion arrives after the failback that undid it. */
  'late-promotion': (random, scenario) => {
    const atMs = random.between(30_000, 60_000);
    // Only the first request is delayed: the controller repeats it and continues.
    const late: Fault = {
      ...fault('slow', 'virginia>virginia', 0, random.between(150, 600), random.between(600_000, 900_000)),
      when: { atMs: 900_000, phase: 'promote', afterMs: 0 },
    };
    const back = fault('operator', 'failback', atMs + random.between(60_000, 100_000), 1_000);
    const faults = [fault('operator', 'failover', atMs, 1_000), late, back];
    return { ...scenario, ...MINIMAL, chaosMs: 780_000, faults };
  },

  /** S2: borrows are lost with the region and not adopted before the hold-back ends. */
  'lost-borrows': (random, scenario) => {
    const atMs = random.between(60_000, 150_000);
    const faults = [
      // From the beginning: borrows soon fill the pool.
      fault('stream-lag', 'oregon', 1_000, 600_000, 200_000),
      fault('region-loss', 'oregon', atMs, 600_000),
      orderedFailover(random, atMs),
    ];
    const rooms = scenario.rooms.map((room, index) => ({
      ...room,
      seats: 1,
      thinksMs: 5_000,
      releaseShare: 0.05,
      knowsRegions: true,
      borrowShare: index % 2 === 0 ? 1 : 0,
      leasesMax: 2,
    }));
    return { ...scenario, ...MINIMAL, leaseTtlMs: 60_000, chaosMs: 600_000, rooms, faults };
  },

  /** S4: a borrow outlasts the extension, and others queue for its seat when it ends by the clock that is ahead. */
  'borrow-skew': (random, scenario) => {
    const atMs = random.between(60_000, 150_000);
    const byPlan = random.chance(0.3);
    const lost = byPlan ? [] : [fault('region-loss', 'oregon', atMs, 600_000)];
    const rooms = scenario.rooms.map((room, index) => ({
      ...room,
      poolId: 1,
      seats: 1,
      leasesMax: 1,
      thinksMs: 1_000,
      releaseShare: 0,
      knowsRegions: true,
      borrowShare: index === 0 ? 1 : 0,
      queueShare: index === 0 ? 0 : 1,
    }));
    return {
      ...scenario,
      ...MINIMAL,
      leaseTtlMs: 60_000,
      chaosMs: 1_080_000,
      rooms,
      aheadMs: { ...scenario.aheadMs, 'oregon/db': -2_500, 'virginia/db': 2_500 },
      pools: [{ seats: 1, overdraft: 0, escrow: 1 }],
      faults: [...lost, orderedFailover(random, atMs)],
    };
  },

  /** S3: the new region receives releases of leases that it does not know, and then repeated old calls. */
  'late-calls': (random, scenario) => {
    const atMs = random.between(100_000, 200_000);
    const old = Array.from({ length: 60 }, () =>
      fault('old-call', `room-${random.int(1, scenario.rooms.length)}`, atMs + random.between(80_000, 350_000), 1),
    );
    const faults = [
      fault('stream-lag', 'oregon', atMs - 90_000, 300_000, 150_000),
      fault('region-loss', 'oregon', atMs, 600_000),
      orderedFailover(random, atMs),
      ...old,
    ];
    // Actions are rare, so a release is often the first call for a lease in the new region.
    const rooms = scenario.rooms.map((room) => ({
      ...room,
      poolId: 1,
      seats: 1,
      thinksMs: 60_000,
      releaseShare: 0.9,
      knowsRegions: true,
      borrowShare: 0,
      queueShare: 0,
      leasesMax: 3,
    }));
    const pools = [{ escrow: 3, seats: 6, overdraft: 0 }];
    return { ...scenario, ...MINIMAL, leaseTtlMs: 600_000, chaosMs: 560_000, pools, rooms, faults };
  },

  /** A region unaware of the failover renews its authority until the opening, and is cut off then. */
  'late-renewal': (random, scenario) => {
    const atMs = random.between(30_000, 60_000);
    const orderedAtMs = atMs + random.between(90_000, 120_000);
    const inOpen = (kind: FaultKind, where: string, { afterMs, forMs }: { afterMs: number; forMs: number }): Fault => ({
      ...fault(kind, where, 0, forMs),
      when: { atMs: 900_000, phase: 'open', afterMs },
    });
    const faults = [
      fault('cut', 'oregon<>virginia', atMs, 600_000),
      fault('operator', 'failover', orderedAtMs, 1_000),
      fault('slow', 'virginia<>ohio', orderedAtMs, 600_000, 1_200),
      // Its next renewal is late.
      inOpen('server-pause', 'oregon/app-1', { afterMs: 0, forMs: random.between(2_000, 7_000) }),
      inOpen('cut', 'oregon<>ohio', { afterMs: random.between(3_000, 9_000), forMs: 300_000 }),
    ];
    const rooms = scenario.rooms.map((room) => ({ ...room, ...NEIGHBOUR }));
    const shape = { leaseTtlMs: 60_000, unprotectedAfterMs: 60_000, chaosMs: 300_000, timersLateMsMax: 2_000 };
    return { ...scenario, ...MINIMAL, ...shape, rooms, faults };
  },

  /** DynamoDB stores the writer's time. Renewals overtake each other before the region is cut off from the store. */
  'late-writes': (random, scenario) => {
    const atMs = random.between(100_000, 160_000);
    const faults = [
      // Long before: the follower's last acknowledgement must not delay the opening.
      fault('cut', 'oregon<>virginia', random.between(5_000, 30_000), 600_000),
      fault('slow', 'oregon>ohio', atMs - 40_000, 40_000, random.between(10_000, 30_000)),
      fault('cut', 'oregon<>ohio', atMs, 600_000),
      fault('operator', 'failover', atMs + random.between(0, 5_000), 1_000),
    ];
    const rooms = scenario.rooms.map((room) => ({ ...room, ...NEIGHBOUR }));
    const shape = { leaseTtlMs: 60_000, unprotectedAfterMs: 60_000, chaosMs: 240_000 };
    return { ...scenario, ...MINIMAL, ...shape, authorityStore: 'dynamodb', rooms, faults };
  },

  /** An administrator takes leases back in the last moments of a region, and others wait for the seats. */
  'taken-back': (random, scenario) => {
    const atMs = random.between(80_000, 150_000);
    const takeBack = (): Fault =>
      fault('take-back', `room-${random.int(1, scenario.rooms.length)}`, atMs - random.between(500, 20_000), 1);
    const faults = [
      fault('stream-lag', 'oregon', atMs - random.between(15_000, 40_000), 600_000, random.between(20_000, 60_000)),
      ...Array.from({ length: 4 }, takeBack),
      fault('region-loss', 'oregon', atMs, 600_000),
      orderedFailover(random, atMs),
    ];
    const pools = scenario.pools.map((pool) => ({ ...pool, seats: 2, overdraft: 0, escrow: 3 }));
    const rooms = holding(scenario.rooms).map((room) => ({ ...room, thinksMs: 2_000, leasesMax: 2, borrowShare: 0 }));
    return { ...scenario, ...MINIMAL, leaseTtlMs: 600_000, chaosMs: 400_000, pools, rooms, faults };
  },

  /** A license file that widens terms is imported in the last moments of a region. */
  'late-imports': (random, scenario) => {
    const atMs = random.between(80_000, 150_000);
    const lag = random.chance(0.7)
      ? fault('stream-lag', 'oregon', atMs - 30_000, 600_000, random.between(20_000, 60_000))
      : fault('cut', 'oregon<>virginia', random.between(5_000, 60_000), 600_000);
    const terms = [fault('import', 'leaseTtlMs', 0, 1, 900_000), fault('import', 'seats', 0, 1, 2)];
    const imports = terms.map((each) => ({ ...each, when: { atMs: atMs - random.between(500, 20_000) } }));
    const faults = [lag, ...imports, fault('region-loss', 'oregon', atMs, 900_000), orderedFailover(random, atMs)];
    const rooms = holding(scenario.rooms).map((room) => ({ ...room, poolId: 1, leasesMax: 2, thinksMs: 2_000 }));
    const shape = { leaseTtlMs: 60_000, unprotectedAfterMs: 60_000, chaosMs: 500_000 };
    return { ...scenario, ...MINIMAL, ...shape, rooms, faults };
  },

  /** A second follower streams from Oregon and acknowledges, also after the promotable one was promoted. */
  'second-follower': (random, scenario) => {
    const atMs = random.between(40_000, 120_000);
    const lag = random.pick(['stream-lag', 'acknowledgement-lag'] as const);
    const faults = [
      fault('foreign-walsender', 'oregon', random.between(5_000, 30_000), 900_000),
      ...(random.chance(0.5) ? [fault(lag, 'oregon', atMs - 30_000, 200_000, random.between(20_000, 60_000))] : []),
      fault(random.pick(['isolation', 'region-loss'] as const), 'oregon', atMs, 600_000),
      orderedFailover(random, atMs),
    ];
    const rooms = scenario.rooms.map((room) => ({ ...room, ...NEIGHBOUR }));
    return { ...scenario, ...MINIMAL, leaseTtlMs: 60_000, unprotectedAfterMs: 60_000, chaosMs: 300_000, rooms, faults };
  },

  /** A server pauses while it stores a checkpoint, and resumes when the other region begins to sign. */
  'checkpoint-in-flight': (random, scenario) => {
    const atMs = random.between(50_000, 80_000);
    const faults = [
      fault('cut', 'oregon<>virginia', atMs - random.between(12_000, 40_000), 600_000),
      fault('slow', 'oregon<>ohio', atMs - 5_000, 10_000, 1_200),
      fault('server-pause', 'oregon/app-1', atMs, random.between(45_000, 120_000)),
      orderedFailover(random, atMs),
      fault('slow', 'virginia<>ohio', atMs + 30_000, 600_000, 1_200),
    ];
    const rooms = scenario.rooms.map((room) => ({ ...room, ...NEIGHBOUR, thinksMs: 3_000 }));
    const shape = { leaseTtlMs: 60_000, unprotectedAfterMs: 60_000, chaosMs: 240_000 };
    return { ...scenario, ...MINIMAL, ...shape, rooms, faults };
  },

  /** A controller pauses while it watches, and resumes after the other one has completed a failover. */
  'stale-controller': (random, scenario) => {
    const atMs = random.between(30_000, 90_000);
    const faults = [
      fault('region-loss', 'oregon', atMs, 240_000),
      fault('controller-pause', 'controller-1', atMs + random.between(15_000, 85_000), random.between(60_000, 250_000)),
    ];
    return { ...scenario, serversPerRegion: 1, controllers: 2, leaseTtlMs: 60_000, chaosMs: 420_000, faults };
  },

  /** Clocks of servers, which decide nothing, jump by up to an hour. */
  'server-clocks': (random, scenario) => {
    const jumps = Array.from({ length: random.int(1, 4) }, () => {
      const where = `oregon/app-${random.int(1, scenario.serversPerRegion)}`;
      const aheadMs = Math.round(random.between(-3_600_000, 3_600_000));
      return fault('clock', where, random.between(20_000, 300_000), random.between(30_000, 300_000), aheadMs);
    });
    return { ...scenario, rooms: holding(scenario.rooms), faults: jumps };
  },
} satisfies Readonly<Record<string, ScenarioProfile>>;
