import type { FollowerView } from './database-view';
import { receiverAbsentSinceMs } from './observation';
import type { Evidence, Operation, Phase } from './operations';
import type { Policy } from './policy';
import type { Observed } from './transitions';

/** What a phase found: its name in the transition table, the sentence for people, and what is learned by it. */
export interface Finding<P extends Phase = Phase> {
  readonly observed: Observed[P];
  readonly reason: string;
  readonly learned?: Partial<Evidence>;
}

export interface Context {
  readonly operation: Operation;
  readonly policy: Policy;
  /** Milliseconds since 1970, read after the sight was taken. */
  readonly nowMs: number;
}

/** What a look at the follower adds to the evidence: how far it got, and whether it may still acknowledge. */
export function followerEvidence(view: FollowerView, { operation, nowMs }: Context): Partial<Evidence> {
  const { evidence } = operation;
  const moved = evidence.replayedLsn !== view.replayedLsn || evidence.replayMovedAtMs === null;
  return {
    receivedLsn: view.receivedLsn,
    replayedLsn: view.replayedLsn,
    replayMovedAtMs: moved ? nowMs : evidence.replayMovedAtMs,
    lastCommitAtMs: view.lastCommitAtMs,
    receiverAbsentSinceMs: receiverAbsentSinceMs(evidence, view, nowMs),
  };
}
