/** What a host may want to know about its licenses. */
export type LicenseEvent = {
  readonly leaseId: string;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
} & (
  | { readonly kind: 'granted' | 'renewed' | 'restored'; readonly epoch: number; readonly servedBy: string }
  /** Seats or a renewal were denied: no seat, or a request that asking again does not help. */
  | { readonly kind: 'denied'; readonly code: string; readonly detail: string }
  /** The lease's time is over and nobody could be reached to renew it: the host goes on working. */
  | { readonly kind: 'grace'; readonly because: string }
  /** A server said definitively that the lease is no more. */
  | { readonly kind: 'lost'; readonly code: string }
  | { readonly kind: 'released' }
  /** A server named an address that is neither configured nor trusted; it was not followed. */
  | { readonly kind: 'distrusted'; readonly address: string }
);

type WithoutLease<T> = T extends unknown ? Omit<T, 'leaseId' | 'product' | 'feature' | 'seats'> : never;

export type Occurrence = WithoutLease<LicenseEvent>;

const faulty = new WeakSet<object>();

/**
 * Calls a listener of the host's. What it throws is its own affair: it must not stop the heartbeats of its leases. The
 * first time it does, the host is warned.
 */
export function callListener<T>(listener: ((value: T) => void) | undefined, value: T): void {
  if (!listener) return;
  try {
    listener(value);
  } catch (error) {
    if (faulty.has(listener)) return;
    faulty.add(listener);
    process.emitWarning(`a license listener threw: ${error instanceof Error ? error.message : String(error)}`);
  }
}
