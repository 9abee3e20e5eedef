/** Messages between the bench and the load generator, which is a separate process. */
import type { Latencies } from './generator/latencies';

export interface BenchDatabaseLogin {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
}

interface Load {
  /** Each always has one request in flight. */
  readonly connections: number;
  /** Answers in this time are not counted. */
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

interface PoolName {
  readonly product: string;
  readonly feature: string;
}

/** A load on the license servers. Connections are spread over their ports. */
interface ServerLoad extends Load {
  readonly serverPorts: readonly number[];
  readonly token: string;
}

/** A checkout and then its release with the received token; both together are one operation. */
export interface PairsRequest extends ServerLoad, PoolName {
  readonly kind: 'pairs';
  /** The requests whose latency is recorded. A release never waits for the follower. */
  readonly latenciesOf: 'both' | 'checkouts';
}

/** Renewals of existing leases, each with the newest token, like the client's. */
export interface HeartbeatsRequest extends ServerLoad {
  readonly kind: 'heartbeats';
  readonly leaseIds: readonly string[];
}

/** The same renewals as messages on WebSocket sessions, one session per connection. */
export interface SessionHeartbeatsRequest extends ServerLoad {
  readonly kind: 'session-heartbeats';
  readonly leaseIds: readonly string[];
}

/** The SQL statements of a pair, each in its own transaction. */
export interface CommitPairsRequest extends Load {
  readonly kind: 'commit-pairs';
  readonly login: BenchDatabaseLogin;
  /** Pools of the connections, assigned in turn. */
  readonly poolIds: readonly number[];
  readonly epoch: number;
}

/** The SQL statement of a heartbeat, each in its own transaction. */
export interface CommitHeartbeatsRequest extends Load {
  readonly kind: 'commit-heartbeats';
  readonly login: BenchDatabaseLogin;
  readonly epoch: number;
  readonly leaseIds: readonly string[];
}

/** Opens idle sessions and keeps them until the next request. */
export interface IdleSessionsRequest {
  readonly kind: 'idle-sessions';
  readonly serverPort: number;
  readonly token: string;
  readonly sessions: number;
}

export type LoadRequest =
  | PairsRequest
  | HeartbeatsRequest
  | SessionHeartbeatsRequest
  | CommitPairsRequest
  | CommitHeartbeatsRequest;
export type GeneratorRequest = LoadRequest | IdleSessionsRequest;

export interface Measured {
  /** Successful operations in the measured time. */
  readonly operations: number;
  readonly seconds: number;
  /** Latencies of single requests, including refused ones. */
  readonly latencies: Latencies;
  /** Number of answers by status; `committed` for the baseline. */
  readonly statuses: Readonly<Record<string, number>>;
}

/** Events from the generator. `counting` and `counted` delimit the measured time, so that the bench reads CPU times over it. */
export type GeneratorEvent =
  | { readonly kind: 'counting' }
  | { readonly kind: 'counted' }
  | { readonly kind: 'measured'; readonly measured: Measured }
  | { readonly kind: 'open'; readonly sessions: number }
  | { readonly kind: 'failed'; readonly because: string };
