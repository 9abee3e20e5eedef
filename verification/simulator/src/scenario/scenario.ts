import type { Order } from '../actors/operator';
import type { Random } from '../time/random';
import type { Place } from '../topology/network';

export const FAULT_KINDS = [
  'region-loss',
  'isolation',
  'server-crash',
  'server-pause',
  'database-crash',
  'database-pause',
  'cut',
  'slow',
  'lossy',
  'twice',
  'stream-lag',
  'acknowledgement-lag',
  'replay-pause',
  'clock',
  'controller-crash',
  'controller-pause',
  'store-crash',
  'edge-crash',
  'router-crash',
  'witness-crash',
  'operator',
  'installation-crash',
  'installation-pause',
  'old-call',
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

/** When a fault begins: at a time, or so long after an operation has entered a phase (at the latest at a time). */
export interface When {
  readonly atMs: number;
  readonly phase?: string;
  /** Operations before this time do not count. @default 0 */
  readonly fromMs?: number;
  /** @default drawn */
  readonly afterMs?: number;
}

export interface Fault {
  readonly kind: FaultKind;
  readonly when: When;
  readonly forMs: number;
  /** Ends it earlier, when an operation enters this phase: what returns at the worst moment. */
  readonly untilPhase?: string;
  /** What it hits: a process, a region, or two places as `from>to`. */
  readonly where: string;
  /** How much, in the fault's own unit; from 0 to 1 where it is a share. */
  readonly amount: number;
}

export interface RoomShape {
  readonly place: Place;
  readonly poolId: number;
  readonly seats: number;
  readonly leasesMax: number;
  readonly thinksMs: number;
  readonly releaseShare: number;
  readonly borrowShare: number;
  readonly queueShare: number;
  readonly knowsRegions: boolean;
}

export interface PoolShape {
  readonly seats: number;
  readonly overdraft: number;
  readonly escrow: number;
}

/** Everything that a run depends on, as plain data: the same scenario is the same run. */
export interface Scenario {
  readonly seed: number;
  readonly leaseTtlMs: number;
  readonly unprotectedAfterMs: number;
  readonly serversPerRegion: number;
  readonly controllers: number;
  readonly timersLateMsMax: number;
  /**
   * Faster, and less interleaved: reads of a region's own database take no time on a line without faults, and servers that
   * grant nothing keep their books less often.
   */
  readonly coarse?: boolean;
  /**
   * Faster still: times in which nothing happens but what happens always are leapt over, nobody looks often at what
   * hardly changes, and who was turned away at a full pool asks again later.
   */
  readonly leaps?: boolean;
  readonly pools: readonly PoolShape[];
  readonly rooms: readonly RoomShape[];
  /** How far clocks are ahead, in milliseconds. */
  readonly aheadMs: Readonly<Record<string, number>>;
  readonly chaosMs: number;
  readonly faults: readonly Fault[];
}

export const SKEW_MS = 5_000;

export const FAILOVER_PHASES = ['latch', 'fence', 'drain', 'promote', 'verify', 'open', 'switch', 'complete'];
const HAND_OVER_PHASES = ['preflight', 'archive_database', 'build_follower', 'catch_up', 'confirm_fence'];
const ORDERS: readonly Order[] = ['failover', 'failback', 'failback', 'pause', 'arm', 'abort'];

export function drawPool(random: Random, seatsMax: number): PoolShape {
  return { seats: random.int(1, seatsMax), overdraft: random.chance(0.15) ? 1 : 0, escrow: random.int(0, 3) };
}

export function drawRoom(random: Random, pools: number): RoomShape {
  return {
    place: random.chance(0.25) ? 'near-oregon' : 'field',
    poolId: random.int(1, pools),
    seats: random.chance(0.2) ? 2 : 1,
    leasesMax: random.int(1, 3),
    thinksMs: random.pick([5_000, 20_000, 60_000]),
    releaseShare: random.pick([0.2, 0.5, 0.8]),
    borrowShare: random.chance(0.2) ? 0.3 : 0,
    queueShare: random.chance(0.2) ? 0.5 : 0,
    knowsRegions: random.chance(0.5),
  };
}

/** Any two clocks that decide something differ by the skew at most. */
export function drawClocks(random: Random): Readonly<Record<string, number>> {
  const half = SKEW_MS / 2;
  const names = ['oregon/db', 'virginia/db', 'ohio', 'controller-1', 'controller-2'];
  const extreme = random.chance(0.5);
  const draw = (): number => (extreme ? random.pick([-half, half]) : random.between(-half, half));
  return Object.fromEntries(names.map((name) => [name, Math.round(draw())]));
}

export interface FaultShape {
  readonly serversPerRegion: number;
  readonly controllers: number;
  readonly rooms: number;
  readonly chaosMs: number;
}

export function drawCut(random: Random): string {
  return random.pick(['oregon>virginia', 'virginia>oregon', 'oregon<>virginia', 'oregon<>ohio', 'oregon>ohio']);
}

export function drawFault(random: Random, shape: FaultShape, kind: FaultKind): Fault {
  const atMs = random.between(20_000, shape.chaosMs);
  const triggered = random.chance(0.5);
  const phase = random.pick(random.chance(0.8) ? FAILOVER_PHASES : HAND_OVER_PHASES);
  return {
    kind,
    when: triggered ? { atMs: shape.chaosMs * 0.9, phase } : { atMs },
    forMs: random.duration(40_000, 600_000),
    ...drawTarget(random, shape, kind),
  };
}

/** Faults that have nothing to do with anything else. */
export function drawOthers(random: Random, scenario: Scenario, most: number): Fault[] {
  const { serversPerRegion, controllers, rooms, chaosMs } = scenario;
  const shape = { serversPerRegion, controllers, rooms: rooms.length, chaosMs };
  return Array.from({ length: random.int(0, most) }, () => drawFault(random, shape, random.pick(FAULT_KINDS)));
}

function drawTarget(random: Random, shape: FaultShape, kind: FaultKind): { where: string; amount: number } {
  const region = random.pick(['oregon', 'oregon', 'virginia']);
  const server = `${region}/app-${random.int(1, shape.serversPerRegion)}`;
  const controller = `controller-${random.int(1, shape.controllers)}`;
  const room = `room-${random.int(1, shape.rooms)}`;
  const link = `${random.pick(['oregon', 'virginia', 'ohio', 'edge'])}${random.pick(['>', '<>'])}${random.pick(['oregon', 'virginia', 'ohio', 'field'])}`;
  switch (kind) {
    case 'server-crash':
    case 'server-pause':
      return { where: server, amount: 0 };
    case 'controller-crash':
    case 'controller-pause':
      return { where: controller, amount: 0 };
    case 'installation-crash':
      return { where: room, amount: random.int(0, 2) };
    case 'installation-pause':
    case 'old-call':
      return { where: room, amount: 0 };
    case 'cut':
      return { where: random.chance(0.5) ? drawCut(random) : link, amount: 0 };
    case 'slow':
      return { where: random.chance(0.3) ? `${region}>${region}` : link, amount: random.duration(3_000, 40_000) };
    case 'lossy':
    case 'twice':
      return { where: random.chance(0.3) ? `${region}>${region}` : link, amount: random.between(0.05, 0.6) };
    case 'stream-lag':
    case 'acknowledgement-lag':
      return { where: region, amount: random.duration(15_000, 120_000) };
    case 'clock':
      return drawClock(random, [`${region}/db`, 'ohio', server, controller, room]);
    case 'operator':
      return { where: random.pick(ORDERS), amount: 0 };
    default:
      return { where: region, amount: 0 };
  }
}

/** Clocks that decide jump within the skew; the others, as far as they like. */
function drawClock(random: Random, names: readonly string[]): { where: string; amount: number } {
  const where = random.pick(names);
  const decides = where.endsWith('/db') || where === 'ohio' || where.startsWith('controller');
  const most = decides ? SKEW_MS / 2 : 3_600_000;
  return { where, amount: Math.round(random.between(-most, most)) };
}
