/** Which chains need a checkpoint: the heads of the log against the newest checkpoints in the store. Pure. */

export interface Head {
  readonly chain: string;
  readonly seq: number;
  readonly hash: string;
}

export interface NewestCheckpoint {
  readonly chain: string;
  readonly number: number;
  readonly epoch: number;
  readonly seq: number;
  readonly jws: string;
}

export interface DueCheckpoint {
  readonly head: Head;
  readonly number: number;
  /** The checkpoint that it follows; undefined for the first of a chain. */
  readonly follows: NewestCheckpoint | undefined;
}

export interface CheckpointPlan {
  readonly due: readonly DueCheckpoint[];
  /**
   * Chains that are shorter than a checkpoint of this very epoch says. Nothing is signed for them: a checkpoint of less
   * would speak for whoever set them back.
   */
  readonly setBack: readonly { readonly head: Head; readonly checkpoint: NewestCheckpoint }[];
}

export function planCheckpoints(
  heads: readonly Head[],
  newest: readonly NewestCheckpoint[],
  epoch: number,
): CheckpointPlan {
  const byChain = new Map(newest.map((checkpoint) => [checkpoint.chain, checkpoint]));
  const due: DueCheckpoint[] = [];
  const setBack: { head: Head; checkpoint: NewestCheckpoint }[] = [];
  for (const head of heads) {
    const follows = byChain.get(head.chain);
    // Whoever holds a later epoch signs; the log that is seen here is that of a region which has lost its own.
    if (follows && follows.epoch > epoch) continue;
    if (follows?.epoch === epoch && follows.seq > head.seq) setBack.push({ head, checkpoint: follows });
    else if (follows?.seq !== head.seq || follows.epoch < epoch) {
      due.push({ head, number: (follows?.number ?? 0) + 1, follows });
    }
  }
  return { due, setBack };
}
