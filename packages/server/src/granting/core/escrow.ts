/**
 * S2: the follower lacks at most `escrow` answered seats of a pool. Seats are numbered in commit order, and a follower
 * that has one number has every earlier one. The answer about grant `seq` therefore waits until the follower has
 * `seq - escrow`. Borrowed leases are never renewed, so their answer waits for the grant itself.
 */
export function answerableFrom(grant: { readonly seq: number; readonly borrowed: boolean }, escrow: number): number {
  return grant.borrowed ? grant.seq : grant.seq - escrow;
}

/**
 * - `followed`: the follower streams. An answer beyond the escrow waits for its acknowledgement.
 * - `cut_off`: the follower does not stream, or acknowledges too late. A grant that would have to wait is refused before
 *   it takes a seat.
 * - `unprotected`: the follower has been gone for long, and the authority store has recorded that grants do not wait (S6).
 */
export type Protection = 'followed' | 'cut_off' | 'unprotected';

/** True when a grant waits for the follower before it is answered. */
export function waitsForFollower(
  grant: { readonly seq: number; readonly borrowed: boolean },
  { escrow, ackedSeq, protection }: { escrow: number; ackedSeq: number; protection: Protection },
): boolean {
  if (protection === 'unprotected' && !grant.borrowed) return false;
  return answerableFrom(grant, escrow) > ackedSeq;
}

interface Pending {
  readonly seq: number;
  readonly walBytes: bigint;
}

const PENDING_MAX = 64;

/**
 * The grants of each pool that the follower has, in one epoch. Each commit is noted with the pool's grant number `seq`
 * and the flushed log position. A follower that has flushed up to this position has every grant up to `seq`, of any
 * server.
 */
export class AcknowledgedSeqs {
  readonly #acked = new Map<number, number>();
  readonly #pending = new Map<number, Pending[]>();

  /** Returns 0 when no acknowledgement is known. */
  of(poolId: number): number {
    return this.#acked.get(poolId) ?? 0;
  }

  get isComplete(): boolean {
    return this.#pending.size === 0;
  }

  note(poolId: number, { seq, walBytes }: Pending): void {
    if (seq <= this.of(poolId)) return;
    const pending = this.#pending.get(poolId) ?? [];
    const newest = pending.at(-1);
    if (newest && seq <= newest.seq) return;
    // The newest entry is replaced when the list is full. The oldest entries are acknowledged first.
    if (pending.length >= PENDING_MAX) pending.pop();
    pending.push({ seq, walBytes });
    this.#pending.set(poolId, pending);
  }

  /** Applies the position that the follower has flushed, as read from the primary database. */
  advance(flushedBytes: bigint): void {
    for (const [poolId, pending] of this.#pending) {
      const reached = pending.filter(({ walBytes }) => walBytes <= flushedBytes);
      const seq = Math.max(this.of(poolId), ...reached.map((each) => each.seq));
      this.#acked.set(poolId, seq);
      const left = pending.filter(({ walBytes }) => walBytes > flushedBytes);
      if (left.length === 0) this.#pending.delete(poolId);
      else this.#pending.set(poolId, left);
    }
  }
}
