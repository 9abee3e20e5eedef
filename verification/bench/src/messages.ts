/** What the bench asks of the load generator, a process of its own, and what that measured. */
import type { Latencies } from './generator/latencies';

export interface DatabaseLogin {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
}

interface Load {
  /** Each has one request under way, always. */
  readonly connections: number;
  /** Whatever is answered before is not counted. */
  readonly warmUpSeconds: number;
  readonly seconds: number;
}

interface PoolName {
  readonly product: string;
  readonly feature: string;
}

/** Against the servers, by their ports; connections are spread over them. */
interface ServerLoad extends Load {
  readonly serverPorts: readonly number[];
  readonly token: string;
}

/** A checkout, then its release with the token it brought; one operation is both. */
export interface PairsOrder extends ServerLoad, PoolName {
  readonly kind: 'pairs';
  /** Which requests the latencies are of. A release never waits for the follower. */
  readonly latenciesOf: 'both' | 'checkouts';
}

/** Renewals of leases that are there already, each with the newest token, as the client sends them. */
export interface HeartbeatsOrder extends ServerLoad {
  readonly kind: 'heartbeats';
  readonly leaseIds: readonly string[];
}

/** The same, as messages on WebSocket sessions: one session a connection. */
export interface SessionHeartbeatsOrder extends ServerLoad {
  readonly kind: 'session-heartbeats';
  readonly leaseIds: readonly string[];
}

/** The statements that a pair comes down to, each committed by itself, on as many connections. */
export interface CommitPairsOrder extends Load {
  readonly kind: 'commit-pairs';
  readonly login: DatabaseLogin;
  /** The connections take turns in the list: a pool for each, or one for all. */
  readonly poolIds: readonly number[];
  readonly epoch: number;
}

/** The statement that a heartbeat comes down to, each committed by itself, on as many connections. */
export interface CommitHeartbeatsOrder extends Load {
  readonly kind: 'commit-heartbeats';
  readonly login: DatabaseLogin;
  readonly epoch: number;
  readonly leaseIds: readonly string[];
}

/** Opens sessions that say nothing, and keeps them until the next order. */
export interface IdleSessionsOrder {
  readonly kind: 'idle-sessions';
  readonly serverPort: number;
  readonly token: string;
  readonly sessions: number;
}

export type LoadOrder =
  | PairsOrder
  | HeartbeatsOrder
  | SessionHeartbeatsOrder
  | CommitPairsOrder
  | CommitHeartbeatsOrder;
export type Order = LoadOrder | IdleSessionsOrder;

export interface Measured {
  /** Operations that did what was asked, in the measured time. */
  readonly operations: number;
  readonly seconds: number;
  /** Of single requests, refused ones included; of which, the order says. */
  readonly latencies: Latencies;
  /** How often each status was answered; of the baseline, `committed`. */
  readonly statuses: Readonly<Record<string, number>>;
}

/** From the generator: the moment at which counting began, so that the bench reads CPU times over the same stretch. */
export type Notice =
  | { readonly kind: 'counting' }
  | { readonly kind: 'counted' }
  | { readonly kind: 'measured'; readonly measured: Measured }
  | { readonly kind: 'open'; readonly sessions: number }
  | { readonly kind: 'failed'; readonly because: string };
