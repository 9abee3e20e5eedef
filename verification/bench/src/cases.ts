import { ESCROW_CASES } from './escrow-cases';
import type { BenchDatabaseLogin, LoadRequest } from './messages';
import { COMMIT_POOLS, type FilledPool, POOL_SIZES, type PoolSize } from './seats';

/**
 * - `one server`: one license server on one database, which flushes every commit to its own disk;
 * - `three servers`: three servers as in the local cluster; a standby flushes every commit too, and the other region's
 *   follower streams;
 * - `far follower`: the same, with the follower behind a delayed link.
 */
export type BenchTopology = 'one server' | 'three servers' | 'far follower';
export const TOPOLOGIES: readonly BenchTopology[] = ['one server', 'three servers', 'far follower'];
export const SERVERS_OF: Readonly<Record<BenchTopology, number>> = {
  'one server': 1,
  'three servers': 3,
  'far follower': 3,
};

export type Workload = 'pairs' | 'heartbeats';
/** Protocol of the load; the baseline uses SQL directly. */
export type Protocol = 'http' | 'session' | 'sql';

/** The values from which a case builds its request. */
export interface Fixture {
  readonly pool: (feature: string) => FilledPool;
  readonly serverPorts: readonly number[];
  readonly token: string;
  readonly login: BenchDatabaseLogin;
  readonly load: { readonly connections: number; readonly warmUpSeconds: number; readonly seconds: number };
}

export interface BenchCase {
  readonly name: string;
  readonly what: string;
  readonly topology: BenchTopology;
  /** Name of the baseline of the same round; undefined for a baseline. */
  readonly against: string | undefined;
  /** Features of the pools that the case uses. */
  readonly needs: readonly string[];
  /** Cases that differ only in the pool size are compared. */
  readonly seats?: PoolSize;
  /** Parameters of a case with a far follower. */
  readonly cell?: EscrowCell;
  /** When the case is measured. @default always */
  readonly measured?: 'when named' | 'not in short';
  readonly workload: Workload;
  readonly protocol: Protocol;
  readonly request: (fixture: Fixture) => LoadRequest;
}

export interface EscrowCell {
  readonly seats: number;
  readonly escrow: number;
  /** Round trip between the regions; half of it in each direction. */
  readonly roundTripMs: number;
}

const EPOCH = 1;

const commits = (workload: Workload, topology: BenchTopology): BenchCase => ({
  name: nameOf(`commit-${workload}`, topology),
  what: workload === 'pairs' ? 'insert and release, a pool for each connection' : 'update of one lease',
  topology,
  against: undefined,
  needs: COMMIT_POOLS.map(({ feature }) => feature),
  workload,
  protocol: 'sql',
  request: ({ pool, login, load }) => {
    const pools = COMMIT_POOLS.map(({ feature }) => pool(feature));
    return workload === 'pairs'
      ? { kind: 'commit-pairs', ...load, login, poolIds: pools.map(({ poolId }) => poolId), epoch: EPOCH }
      : {
          kind: 'commit-heartbeats',
          ...load,
          login,
          leaseIds: pools.flatMap(({ leaseIds }) => leaseIds),
          epoch: EPOCH,
        };
  },
});

/** The limit of a server that commits each checkout in its own transaction. */
const commitsOfOnePool: BenchCase = {
  name: 'commit-pairs-of-one-pool',
  what: 'insert and release, one pool for all',
  topology: 'one server',
  against: undefined,
  needs: ['commits-1'],
  measured: 'not in short',
  workload: 'pairs',
  protocol: 'sql',
  request: ({ pool, login, load }) => {
    const { poolId } = pool('commits-1');
    return { kind: 'commit-pairs', ...load, login, poolIds: [poolId], epoch: EPOCH };
  },
};

const pairsOf = (feature: string, name: string, topology: BenchTopology): Omit<BenchCase, 'what'> => ({
  name: nameOf(name, topology),
  topology,
  against: nameOf('commit-pairs', topology),
  needs: [feature],
  workload: 'pairs',
  protocol: 'http',
  request: ({ pool, serverPorts, token, load }) => {
    const { product } = pool(feature);
    return { kind: 'pairs', ...load, serverPorts, token, product, feature, latenciesOf: 'both' };
  },
});

const pairs = (seats: PoolSize, topology: BenchTopology): BenchCase => ({
  ...pairsOf(`seats-${seats}`, `pairs-${seats}`, topology),
  what: `checkout and release over HTTP, pool of ${seats.toLocaleString('en')}`,
  ...measuredAs(seats, topology),
  seats,
});

const heartbeats = (seats: PoolSize, topology: BenchTopology, protocol: 'http' | 'session' = 'http'): BenchCase => ({
  name: nameOf(`${protocol === 'http' ? '' : 'session-'}heartbeats-${seats}`, topology),
  what: `heartbeats over ${protocol === 'http' ? 'HTTP' : 'sessions'}, pool of ${seats.toLocaleString('en')}`,
  topology,
  against: nameOf('commit-heartbeats', topology),
  needs: [`seats-${seats}`],
  ...measuredAs(seats, topology),
  seats,
  workload: 'heartbeats',
  protocol,
  request: ({ pool, serverPorts, token, load }) => {
    const { leaseIds } = pool(`seats-${seats}`);
    const kind = protocol === 'http' ? 'heartbeats' : 'session-heartbeats';
    return { kind, ...load, serverPorts, token, leaseIds };
  },
});

/** The middle size has no assertion, so the short form skips it. */
function measuredAs(seats: PoolSize, topology: BenchTopology): Pick<BenchCase, 'measured'> {
  return topology === 'one server' && seats === 10_000 ? { measured: 'not in short' } : {};
}

function nameOf(name: string, topology: BenchTopology): string {
  return topology === 'one server' ? name : `${name}-${SERVERS_OF[topology]}-servers`;
}

/** In the order of a round; compared cases are adjacent. */
export const CASES: readonly BenchCase[] = [
  commitsOfOnePool,
  commits('pairs', 'one server'),
  ...POOL_SIZES.map((seats) => pairs(seats, 'one server')),
  {
    ...pairsOf('nearly-full', 'pairs-nearly-full', 'one server'),
    what: 'checkout and release over HTTP, 30 free seats for 64',
  },
  commits('heartbeats', 'one server'),
  ...POOL_SIZES.map((seats) => heartbeats(seats, 'one server')),
  ...POOL_SIZES.map((seats) => heartbeats(seats, 'one server', 'session')),
  commits('pairs', 'three servers'),
  pairs(10_000, 'three servers'),
  commits('heartbeats', 'three servers'),
  heartbeats(10_000, 'three servers'),
  heartbeats(10_000, 'three servers', 'session'),
  ...ESCROW_CASES,
];
