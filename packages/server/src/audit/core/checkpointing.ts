/** Compares the heads of the log with the newest checkpoints in the store. */

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
  /** The previous checkpoint of the chain; undefined for the first one. */
  readonly follows: NewestCheckpoint | undefined;
}

export interface CheckpointPlan {
  readonly due: readonly DueCheckpoint[];
  /**
   * Chains that end before a checkpoint of the same epoch. No checkpoint is signed for them, because a shorter checkpoint
   * would confirm the manipulated chain.
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
    // A later epoch exists, so this region has lost its epoch and must not sign.
    if (follows && follows.epoch > epoch) continue;
    if (follows?.epoch === epoch && follows.seq > head.seq) setBack.push({ head, checkpoint: follows });
    else if (follows?.seq !== head.seq || follows.epoch < epoch) {
      due.push({ head, number: (follows?.number ?? 0) + 1, follows });
    }
  }
  return { due, setBack };
}
