import type { Acknowledged } from '../epochs/acknowledgement-gate';
import type { Refusal } from '../epochs/epoch-transactions';
import type { QueuePlace } from '../queue/core/queue';
import type { EntitlementName } from './core/entitlement';
import type { GrantVerdict } from './core/grant';
import type { Lease, LeaseEnd } from './core/lease';
import type { ProvenVerdict } from './entitlements';
import type { LeasedPool } from './store';

export interface Checkout extends EntitlementName {
  readonly leaseId: string;
  readonly seats: number;
  readonly holder: string;
  /** The stable name of the installation. An installation that holds a matching lease receives that lease again. */
  readonly identity?: string | undefined;
  /** Borrows the seats for offline use, for this long. */
  readonly borrowSeconds?: number | undefined;
  /** Waits in the queue when no seat is free. */
  readonly queue?: boolean | undefined;
  /** The token of an earlier grant, or the queue token of a waiting checkout. */
  readonly token?: string | undefined;
  /** Signed into the token of the answer. */
  readonly nonce?: string | undefined;
}

export interface Heartbeat {
  readonly leaseId: string;
  readonly token?: string | undefined;
  /** Signed into the token of the answer. */
  readonly nonce?: string | undefined;
  /** The handover of the session that renews the lease, when no token is presented. */
  readonly handover?: number | undefined;
}

export interface Release {
  readonly leaseId: string;
  readonly token?: string | undefined;
  /** The handover of the session that releases the lease, when no token is presented. */
  readonly handover?: number | undefined;
  /** @default released by its holder */
  readonly end?: LeaseEnd;
}

export interface HeldLease {
  readonly kind: 'held';
  readonly acknowledged: Acknowledged<Lease>;
  readonly lease: Lease;
  readonly pool: LeasedPool;
  readonly token: string;
  readonly heartbeatAfterSeconds: number;
  /** The database's clock at the decision. */
  readonly nowMs: number;
}

/** No seat is free yet. The same request, sent again later, keeps the place in the queue or takes the seats. */
export interface HeldPlace {
  readonly kind: 'queued';
  readonly acknowledged: Acknowledged<QueuePlace>;
  readonly place: QueuePlace;
  /** 1 comes next. */
  readonly position: number;
  readonly pool: LeasedPool;
  readonly token: string;
  readonly retryAfterSeconds: number;
  readonly nowMs: number;
}

export type LeaseAnswer =
  | HeldLease
  | HeldPlace
  | Exclude<GrantVerdict, { kind: 'granted' | 'queued' }>
  | Exclude<ProvenVerdict, { kind: 'found' }>
  /** The Control Room of the API token belongs to another license than the requested one. */
  | { readonly kind: 'wrong_license'; readonly licenseId: string }
  | Refusal;

export type ReleaseAnswer =
  | { readonly kind: 'ended'; readonly acknowledged: Acknowledged<string> }
  | { readonly kind: 'lease_not_found' }
  | Refusal;
