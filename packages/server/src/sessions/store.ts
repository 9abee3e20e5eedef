import type { ExpectedEpoch, InEpoch } from '../epochs/store';

/** A lease whose session closed without a request to. It is ended only if it has not been renewed since. */
export interface ReclaimRequest {
  readonly leaseId: string;
  /** The expiry that the last grant or renewal of that session set. */
  readonly expiresAtMs: number;
  /** The name of the session's API token. */
  readonly endedBy: string;
  /** The handover of that grant: a later checkout of the same installation keeps the lease. */
  readonly handover: number;
}

/** May reject with `DatabaseFailure`. */
export interface ReclaimStore {
  /** Marks leases of clients that disappeared to end, where the pool allows it. Resolves to their ids. */
  reclaim(requests: readonly ReclaimRequest[], expected: ExpectedEpoch): Promise<InEpoch<readonly string[]>>;
}
