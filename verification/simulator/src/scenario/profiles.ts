import { drawCut, FAILOVER_PHASES, type Fault } from './scenario';
import { fault, loss, type ScenarioProfile, TARGETED_PROFILES } from './targeted';

const TTL_LONG_MS = 600_000;
const TTL_SHORT_MS = 60_000;

/** Each profile adds the conditions and faults of one kind of incident to a plain scenario. */
export const FAULT_PROFILES = {
  ...TARGETED_PROFILES,

  /** Unrelated faults only. */
  any: (_random, scenario) => scenario,

  /** A region is lost with the last part of its log. */
  'log-loss': (random, scenario) => {
    const atMs = random.between(60_000, 150_000);
    const lag = random.pick(['stream-lag', 'stream-lag', 'acknowledgement-lag'] as const);
    const lagAtMs = atMs - random.between(10_000, 60_000);
    const faults = [
      fault(lag, 'oregon', lagAtMs, 120_000, random.between(20_000, 90_000)),
      loss(random, scenario, atMs),
    ];
    return { ...scenario, leaseTtlMs: random.pick([TTL_LONG_MS, TTL_LONG_MS, 300_000]), faults };
  },

  /** Oregon keeps running, reachable only for its neighbours. */
  isolation: (random, scenario) => {
    const atMs = random.between(30_000, 90_000);
    const near = scenario.rooms.map((room, index) => (index < 2 ? { ...room, ...NEIGHBOUR } : room));
    const server = `oregon/app-${random.int(1, scenario.serversPerRegion)}`;
    const faults = [
      loss(random, { ...scenario, chaosMs: 400_000 }, atMs, 'isolation'),
      ...(random.chance(0.5) ? [fault('operator', 'failover', atMs + random.between(500, 15_000), 1_000)] : []),
      ...(random.chance(0.5)
        ? [fault('slow', 'oregon>oregon', atMs - 5_000, 60_000, random.between(2_000, 8_000))]
        : []),
      ...(random.chance(0.5) ? [fault('server-pause', server, atMs + random.between(0, 30_000), 240_000)] : []),
      ...(random.chance(0.4)
        ? [fault('clock', server, atMs + random.between(1_000, 25_000), 400_000, -3_600_000)]
        : []),
    ];
    return { ...scenario, rooms: near, faults };
  },

  /** The follower is away until grants go unprotected; then the region is lost. */
  unprotected: (random, scenario) => {
    const cutAtMs = random.between(20_000, 60_000);
    const atMs = cutAtMs + random.between(100_000, 160_000);
    const where = random.pick(['oregon>virginia', 'virginia>oregon', 'oregon<>virginia']);
    const faults = [fault('cut', where, cutAtMs, atMs - cutAtMs + 30_000), loss(random, scenario, atMs)];
    return { ...scenario, leaseTtlMs: TTL_LONG_MS, unprotectedAfterMs: 60_000, faults };
  },

  /** An installation is paused while its lease ends and the seat is granted again; then the region is lost. */
  'paused-installations': (random, scenario) => {
    const atMs = random.between(120_000, 180_000);
    const pausedAtMs = random.between(10_000, 50_000);
    const room = `room-${random.int(1, scenario.rooms.length)}`;
    const kind = random.pick(['installation-pause', 'installation-crash'] as const);
    const cut = fault('cut', 'oregon<>virginia', pausedAtMs + random.between(0, 30_000), atMs);
    const pausedMs = atMs - pausedAtMs + random.between(20_000, 300_000);
    const faults = [fault(kind, room, pausedAtMs, pausedMs), cut, loss(random, scenario, atMs)];
    return { ...scenario, leaseTtlMs: TTL_SHORT_MS, faults };
  },

  /** A slow database under several servers. */
  busy: (random, scenario) => {
    const faults = [fault('slow', 'oregon>oregon', 10_000, 300_000, random.between(500, 3_000))];
    const rooms = scenario.rooms.map((room) => ({ ...room, thinksMs: 3_000, releaseShare: 0.6 }));
    return { ...scenario, serversPerRegion: 2, rooms, faults };
  },

  /** Operators switch over, and mostly back. */
  switchover: (random, scenario) => {
    const atMs = random.between(40_000, 90_000);
    const faults = [fault('operator', 'failover', atMs, 1_000)];
    if (random.chance(0.7)) faults.push(fault('operator', 'failback', atMs + random.between(40_000, 120_000), 1_000));
    if (random.chance(0.3)) faults.push(fault('cut', drawCut(random), atMs - 20_000, random.between(10_000, 120_000)));
    return { ...scenario, chaosMs: Math.max(scenario.chaosMs, 480_000), faults };
  },

  /** Short outages, and outages that only some observers see. */
  'short-outages': (random, scenario) => {
    const outage = (): Fault => {
      const atMs = random.between(30_000, scenario.chaosMs);
      const kind = random.pick(['region-loss', 'isolation', 'cut', 'cut'] as const);
      const where = kind === 'cut' ? 'oregon<>virginia' : 'oregon';
      return fault(kind, where, atMs, random.pick([15_000, 50_000, 70_000, 240_000]));
    };
    return { ...scenario, faults: Array.from({ length: random.int(1, 4) }, outage) };
  },

  /** Two controllers that pause in phases of a failover. */
  'two-controllers': (random, scenario) => {
    const atMs = random.between(30_000, 90_000);
    const stops = ['controller-1', 'controller-2'].map((where): Fault => {
      const phase = random.pick(FAILOVER_PHASES);
      return {
        ...fault('controller-pause', where, scenario.chaosMs, random.between(5_000, 200_000)),
        when: { atMs, phase },
      };
    });
    const back = fault('operator', 'failback', atMs + 240_000, 1_000);
    return { ...scenario, controllers: 2, faults: [loss(random, scenario, atMs), ...stops, back] };
  },
} satisfies Readonly<Record<string, ScenarioProfile>>;

const NEIGHBOUR = { place: 'near-oregon', knowsRegions: true, thinksMs: 3_000 } as const;

/** `soak`: a long run with several incidents. */
export type FaultProfile = keyof typeof FAULT_PROFILES | 'soak';
