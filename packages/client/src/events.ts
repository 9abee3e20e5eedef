/** Events of a lease. docs/client.md describes what the application should do for each. */
export type LicenseEvent = {
  readonly leaseId: string;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
} & (
  | { readonly kind: 'granted' | 'renewed' | 'restored'; readonly epoch: number; readonly servedBy: string }
  /** The checkout is in the queue. Position 1 is served next. */
  | { readonly kind: 'queued'; readonly position: number }
  /** A checkout or a renewal was denied. A retry of the same request would not help. */
  | { readonly kind: 'denied'; readonly code: string; readonly detail: string }
  /** The lease expired and no server renewed it: the application continues to work. */
  | { readonly kind: 'grace'; readonly because: string }
  /** The license's grace period is over: held seats stay usable, no seats may be added. */
  | { readonly kind: 'fail_safe'; readonly because: string }
  /** The license's suspension time is reached: the application stops using the feature until `restored`. */
  | { readonly kind: 'suspended'; readonly because: string }
  /** A server ended the lease. */
  | { readonly kind: 'lost'; readonly code: string }
  | { readonly kind: 'released' }
  /** A lease token was not signed by a trusted key, so the client ignored it. */
  | { readonly kind: 'unproven'; readonly detail: string }
  /** A server redirected to an address that is neither configured nor trusted, so the client ignored it. */
  | { readonly kind: 'distrusted'; readonly address: string }
);

type WithoutLeaseFields<T> = T extends unknown ? Omit<T, 'leaseId' | 'product' | 'feature' | 'seats'> : never;

export type LeaseEventBody = WithoutLeaseFields<LicenseEvent>;

/** Notices about the client itself. */
export type ClientNotice =
  /** The state file is not usable. The client continues without it. */
  | {
      readonly kind: 'state';
      readonly problem: 'damaged' | 'newer_version' | 'in_use' | 'not_readable' | 'not_writable';
      readonly detail: string;
    }
  /** A stored lease was not restored: its token is not signed by a trusted key, or does not match the lease. */
  | { readonly kind: 'lease_dropped'; readonly leaseId: string; readonly detail: string }
  | { readonly kind: 'registered'; readonly controlRoom: string; readonly licenseId: string }
  | { readonly kind: 'registration_refused'; readonly code: string; readonly detail: string }
  /** The server in use and the transport. `address` is undefined when no server responds. */
  | {
      readonly kind: 'connection';
      readonly address: string | undefined;
      readonly over: 'session' | 'http' | 'nothing';
    };

const faulty = new WeakSet<object>();

/**
 * Calls a listener of the application. An error of the listener, thrown or rejected, must neither stop heartbeats nor end
 * the process. The first error of each listener emits a process warning.
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
