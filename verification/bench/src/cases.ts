import { ESCROW_CASES } from './escrow-cases';
import type { DatabaseLogin, LoadOrder } from './messages';
import { COMMIT_POOLS, type FilledPool, POOL_SIZES, type PoolSize } from './seats';

/**
 * - `one server`: one license server on one database, which flushes every commit to its own disk;
 * - `three servers`: as in the two-region world: three of them, every commit is flushed by a standby too, and the other
 *   region's follower streams;
 * - `far follower`: the same, with the follower behind a link that takes its time.
 */
export type Stand = 'one server' | 'three servers' | 'far follower';
export const STANDS: readonly Stand[] = ['one server', 'three servers', 'far follower'];
export const SERVERS_OF: Readonly<Record<Stand, number>> = { 'one server': 1, 'three servers': 3, 'far follower': 3 };

export type Verb = 'pairs' | 'heartbeats';
/** How it reaches the server; the baseline reaches past it. */
export type Way = 'http' | 'session' | 'sql';

/** What an order is made from. */
export interface Ground {
  readonly pool: (feature: string) => FilledPool;
  readonly serverPorts: readonly number[];
  readonly token: string;
  readonly login: DatabaseLogin;
  readonly load: { readonly connections: number; readonly warmUpSeconds: number; readonly seconds: number };
}

export interface BenchCase {
  readonly name: string;
  readonly what: string;
  readonly stand: Stand;
  /** The baseline that it is measured against in the same round; undefined for a baseline. */
  readonly against: string | undefined;
  /** Features whose pools it draws from. */
  readonly needs: readonly string[];
  /** Cases that differ in this alone are held against each other. */
  readonly seats?: PoolSize;
  /** What a case of the far follower is about. */
  readonly cell?: EscrowCell;
  /** Measured only when it is named, or not in the short form. @default always */
  readonly measured?: 'when named' | 'not in short';
  readonly verb: Verb;
  readonly way: Way;
  readonly order: (ground: Ground) => LoadOrder;
}

export interface EscrowCell {
  readonly seats: number;
  readonly escrow: number;
  /** Between the regions; half of it in each direction. */
  readonly roundTripMs: number;
}

const EPOCH = 1;

const commits = (verb: Verb, stand: Stand): BenchCase => ({
  name: nameOf(`commit-${verb}`, stand),
  what: verb === 'pairs' ? 'insert and release, a pool for each connection' : 'update of one lease',
  stand,
  against: undefined,
  needs: COMMIT_POOLS.map(({ feature }) => feature),
  verb,
  way: 'sql',
  order: ({ pool, login, load }) => {
    const pools = COMMIT_POOLS.map(({ feature }) => pool(feature));
    return verb === 'pairs'
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

/** What a server would be bound by that commits each checkout by itself. */
const commitsOfOnePool: BenchCase = {
  name: 'commit-pairs-of-one-pool',
  what: 'insert and release, one pool for all',
  stand: 'one server',
  against: undefined,
  needs: ['commits-1'],
  measured: 'not in short',
  verb: 'pairs',
  way: 'sql',
  order: ({ pool, login, load }) => {
    const { poolId } = pool('commits-1');
    return { kind: 'commit-pairs', ...load, login, poolIds: [poolId], epoch: EPOCH };
  },
};

const pairsOf = (feature: string, name: string, stand: Stand): Omit<BenchCase, 'what'> => ({
  name: nameOf(name, stand),
  stand,
  against: nameOf('commit-pairs', stand),
  needs: [feature],
  verb: 'pairs',
  way: 'http',
  order: ({ pool, serverPorts, token, load }) => {
    const { product } = pool(feature);
    return { kind: 'pairs', ...load, serverPorts, token, product, feature, latenciesOf: 'both' };
  },
});

const pairs = (seats: PoolSize, stand: Stand): BenchCase => ({
  ...pairsOf(`seats-${seats}`, `pairs-${seats}`, stand),
  what: `checkout and release over HTTP, pool of ${seats.toLocaleString('en')}`,
  ...measuredAs(seats, stand),
  seats,
});

const heartbeats = (seats: PoolSize, stand: Stand, way: 'http' | 'session' = 'http'): BenchCase => ({
  name: nameOf(`${way === 'http' ? '' : 'session-'}heartbeats-${seats}`, stand),
  what: `heartbeats over ${way === 'http' ? 'HTTP' : 'sessions'}, pool of ${seats.toLocaleString('en')}`,
  stand,
  against: nameOf('commit-heartbeats', stand),
  needs: [`seats-${seats}`],
  ...measuredAs(seats, stand),
  seats,
  verb: 'heartbeats',
  way,
  order: ({ pool, serverPorts, token, load }) => {
    const { leaseIds } = pool(`seats-${seats}`);
    const kind = way === 'http' ? 'heartbeats' : 'session-heartbeats';
    return { kind, ...load, serverPorts, token, leaseIds };
  },
});

/** The middle size decides nothing. */
function measuredAs(seats: PoolSize, stand: Stand): Pick<BenchCase, 'measured'> {
  return stand === 'one server' && seats === 10_000 ? { measured: 'not in short' } : {};
}

function nameOf(name: string, stand: Stand): string {
  return stand === 'one server' ? name : `${name}-${SERVERS_OF[stand]}-servers`;
}

/** In the order in which a round runs them; what is compared stands side by side. */
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
