/**
 * S2: of what has been answered, the other region lacks no more than `escrow` seats of a pool. Seats are numbered in the
 * order of their commits, and a follower that has one has all before it; so an answer about the grant with number `seq`
 * waits until the follower has `seq - escrow`. Nobody renews what is borrowed: it is answered only when it is there
 * itself.
 */
export function answerableFrom(grant: { readonly seq: number; readonly borrowed: boolean }, escrow: number): number {
  return grant.borrowed ? grant.seq : grant.seq - escrow;
}

/**
 * - `followed`: the follower may answer; an answer beyond the escrow waits for it.
 * - `cut_off`: it does not stream. What would have to wait is not granted in the first place, so that no seat is taken by a
 *   grant that nobody hears of.
 * - `unprotected`: it has been gone for long, and the authority store knows that grants no longer wait (S6).
 */
export type Protection = 'followed' | 'cut_off' | 'unprotected';

/** Whether a grant waits for the follower before it is answered. */
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
 * What the follower has of each pool's grants, in one epoch. A commit that left a pool's number at `seq`, with the log
 * flushed up to a position then, is noted; when the follower has flushed as much, it has every grant up to `seq`, whichever
 * server made them.
 */
export class AcknowledgedSeqs {
  readonly #acked = new Map<number, number>();
  readonly #pending = new Map<number, Pending[]>();

  /** 0 when nothing is known. */
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
    // A long wait for the follower keeps the oldest and the newest: nothing in between can be told earlier.
    if (pending.length >= PENDING_MAX) pending.pop();
    pending.push({ seq, walBytes });
    this.#pending.set(poolId, pending);
  }

  /** The follower has flushed so much, by the primary database's present word. */
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
