import type { Phase } from '@evergrant/controller/core/operations';
import type { Random } from '../time/random';
import type { SimulatedPlace } from '../topology/place';

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
  'foreign-walsender',
  'replay-pause',
  'clock',
  'controller-crash',
  'controller-pause',
  'store-crash',
  'edge-crash',
  'router-crash',
  'witness-crash',
  'operator',
  'take-back',
  'import',
  'installation-crash',
  'installation-pause',
  'old-call',
] as const;

/** The terms of a pool that an import changes. `seats`: by how many more. */
export const IMPORTED_TERMS = ['seats', 'escrow', 'leaseTtlMs'] as const;

export type ImportedTerm = (typeof IMPORTED_TERMS)[number];

/** An action of an operator at the runbook. */
export type OperatorAction = 'pause' | 'arm' | 'failover' | 'abort' | 'failback';

export type FaultKind = (typeof FAULT_KINDS)[number];

/** Start of a fault: a time, or a delay after an operation has entered a phase, but at the latest that time. */
export interface When {
  readonly atMs: number;
  readonly phase?: Phase;
  /** Earlier operations are ignored. @default 0 */
  readonly fromMs?: number;
  /** @default random */
  readonly afterMs?: number;
}

export interface Fault {
  readonly kind: FaultKind;
  readonly when: When;
  readonly forMs: number;
  /** Ends the fault early, when an operation enters this phase. */
  readonly untilPhase?: Phase;
  /** Its target: a process, a region, or two places as `from>to`. */
  readonly where: string;
  /** Strength in the unit of the fault; from 0 to 1 for a share. */
  readonly amount: number;
}

export interface RoomShape {
  readonly place: SimulatedPlace;
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

/** The authority store: PostgreSQL, or DynamoDB, which stores the time of the writer's clock. */
export type StoreKind = 'sql' | 'dynamodb';

/** All input of a run as plain data: the same scenario gives the same run. */
export interface Scenario {
  readonly seed: number;
  readonly leaseTtlMs: number;
  readonly unprotectedAfterMs: number;
  readonly serversPerRegion: number;
  readonly controllers: number;
  readonly timersLateMsMax: number;
  /**
   * Faster, with fewer interleavings: reads of a region's own database take no time on a link without faults, and servers
   * that do not grant run their background jobs less often.
   */
  readonly coarse?: boolean;
  /**
   * Faster still: idle time is skipped, rarely changing state is observed rarely, and a Control Room that met a full pool
   * retries later.
   */
  readonly skipsIdleTime?: boolean;
  /** @default sql */
  readonly authorityStore?: StoreKind;
  readonly pools: readonly PoolShape[];
  readonly rooms: readonly RoomShape[];
  /** Offsets of wall clocks by process name, in milliseconds. */
  readonly aheadMs: Readonly<Record<string, number>>;
  readonly chaosMs: number;
  readonly faults: readonly Fault[];
}

export const SKEW_MS = 5_000;

export const FAILOVER_PHASES: readonly Phase[] = [
  'latch',
  'fence',
  'drain',
  'promote',
  'verify',
  'open',
  'switch',
  'complete',
];
const FAILBACK_PHASES: readonly Phase[] = [
  'preflight',
  'archive_database',
  'build_follower',
  'catch_up',
  'confirm_fence',
];
const OPERATOR_ACTIONS: readonly OperatorAction[] = ['failover', 'failback', 'failback', 'pause', 'arm', 'abort'];

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

/** Offsets of the clocks that decide something; two of them differ by at most the skew. */
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
  const phase = random.pick(random.chance(0.8) ? FAILOVER_PHASES : FAILBACK_PHASES);
  return {
    kind,
    when: triggered ? { atMs: shape.chaosMs * 0.9, phase } : { atMs },
    forMs: random.duration(40_000, 600_000),
    ...drawTarget(random, shape, kind),
  };
}

/** Unrelated faults, at most `most`. */
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
    case 'take-back':
      return { where: room, amount: 0 };
    case 'import':
      return drawImport(random);
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
      return { where: random.pick(OPERATOR_ACTIONS), amount: 0 };
    default:
      return { where: region, amount: 0 };
  }
}

/** Terms that an import changes: `term` of pool 1. Seats and lease time never fall below those of the scenario. */
function drawImport(random: Random): { where: string; amount: number } {
  switch (random.pick(IMPORTED_TERMS)) {
    case 'seats':
      return { where: 'seats', amount: random.int(1, 2) };
    case 'escrow':
      return { where: 'escrow', amount: random.int(0, 4) };
    case 'leaseTtlMs':
      return { where: 'leaseTtlMs', amount: random.pick([300_000, 600_000, 1_200_000]) };
  }
}

/** A clock jump: within the skew for clocks that decide something, up to an hour for others. */
function drawClock(random: Random, names: readonly string[]): { where: string; amount: number } {
  const where = random.pick(names);
  const decides = where.endsWith('/db') || where === 'ohio' || where.startsWith('controller');
  const most = decides ? SKEW_MS / 2 : 3_600_000;
  return { where, amount: Math.round(random.between(-most, most)) };
}
