/** What a host may want to know about its licenses. docs/client.md says what to do on each. */
export type LicenseEvent = {
  readonly leaseId: string;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
} & (
  | { readonly kind: 'granted' | 'renewed' | 'restored'; readonly epoch: number; readonly servedBy: string }
  /** It stands in line for seats; 1 comes next. */
  | { readonly kind: 'queued'; readonly position: number }
  /** Seats or a renewal were denied: no seat, or a request that asking again does not help. */
  | { readonly kind: 'denied'; readonly code: string; readonly detail: string }
  /** The lease's time is over and nobody could be reached to renew it: the host goes on working. */
  | { readonly kind: 'grace'; readonly because: string }
  /** Grace has lasted for as long as the license allows: what is held goes on, nothing is added. */
  | { readonly kind: 'fail_safe'; readonly because: string }
  /** It has lasted too long: the host stops using what the lease is for, until `restored`. */
  | { readonly kind: 'suspended'; readonly because: string }
  /** A server said definitively that the lease is no more. */
  | { readonly kind: 'lost'; readonly code: string }
  | { readonly kind: 'released' }
  /** A token was not signed by any key that is trusted; what it says was not believed. */
  | { readonly kind: 'unproven'; readonly detail: string }
  /** A server named an address that is neither configured nor trusted; it was not followed. */
  | { readonly kind: 'distrusted'; readonly address: string }
);

type WithoutLeaseFields<T> = T extends unknown ? Omit<T, 'leaseId' | 'product' | 'feature' | 'seats'> : never;

export type LeaseEventBody = WithoutLeaseFields<LicenseEvent>;

/** What a host may want to know about the client itself. */
export type ClientNotice =
  /** The state file could not be used as it was; the client works on. */
  | {
      readonly kind: 'state';
      readonly problem: 'damaged' | 'newer_version' | 'in_use' | 'not_readable' | 'not_writable';
      readonly detail: string;
    }
  /** A lease of an earlier life was not taken over: its token is not signed by a trusted key, or says something else. */
  | { readonly kind: 'lease_dropped'; readonly leaseId: string; readonly detail: string }
  | { readonly kind: 'registered'; readonly controlRoom: string; readonly licenseId: string }
  | { readonly kind: 'registration_refused'; readonly code: string; readonly detail: string }
  /** Which server is spoken to, and how; `address` is undefined when none answers. */
  | {
      readonly kind: 'connection';
      readonly address: string | undefined;
      readonly over: 'session' | 'http' | 'nothing';
    };

const faulty = new WeakSet<object>();

/**
 * Calls a listener of the host's. What it throws, or rejects with when it is asynchronous, is its own affair: it must
 * neither stop the heartbeats of its leases nor end the host. The first time it does, the host is warned.
 */
export function callListener<T>(listener: ((value: T) => unknown) | undefined, value: T): void {
  if (!listener) return;
  const failed = (error: unknown): void => {
    if (faulty.has(listener)) return;
    faulty.add(listener);
    process.emitWarning(`a license listener threw: ${error instanceof Error ? error.message : String(error)}`);
  };
  try {
    const returned = listener(value);
    if (returned instanceof Promise) returned.catch(failed);
  } catch (error) {
    failed(error);
  }
}
