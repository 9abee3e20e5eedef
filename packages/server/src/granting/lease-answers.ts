import type { Refusal } from '../epochs/epoch-transactions';
import type { Place } from '../queue/core/queue';
import type { EntitlementName } from './core/entitlement';
import type { GrantVerdict } from './core/grant';
import type { Lease, LeaseEnd } from './core/lease';
import type { ProvenVerdict } from './entitlements';
import type { LeasedPool } from './store';

export interface Checkout extends EntitlementName {
  readonly leaseId: string;
  readonly seats: number;
  readonly holder: string;
  /** The stable name of the installation, if it has one: it gets back what it holds already. */
  readonly identity?: string | undefined;
  /** Takes the seats for offline use, for so long. */
  readonly borrowSeconds?: number | undefined;
  /** Waits in line when no seat is free. */
  readonly queue?: boolean | undefined;
  /** The lease's token when it was granted before, or the place's when it is in line. */
  readonly token?: string | undefined;
}

export interface Heartbeat {
  readonly leaseId: string;
  readonly token?: string | undefined;
}

export interface Release {
  readonly leaseId: string;
  readonly token?: string | undefined;
  /** @default given back by its holder */
  readonly end?: LeaseEnd;
}

export interface HeldLease {
  readonly kind: 'held';
  readonly lease: Lease;
  readonly pool: LeasedPool;
  readonly token: string;
  readonly heartbeatAfterSeconds: number;
  /** The database's clock when this was decided. */
  readonly nowMs: number;
}

/** No seat is free yet: the same request again, after a while, claims the place or keeps it. */
export interface HeldPlace {
  readonly kind: 'queued';
  readonly place: Place;
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
  /** The token's Control Room belongs to another license than the one asked for. */
  | { readonly kind: 'wrong_license'; readonly licenseId: string }
  | Refusal;

export type ReleaseAnswer = { readonly kind: 'ended' } | { readonly kind: 'lease_not_found' } | Refusal;
