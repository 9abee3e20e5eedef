import type { FollowerView } from './database-view';
import { receiverAbsentSinceMs } from './observation';
import type { Evidence } from './operations';

/** The evidence in a view of the follower: how far it got, and since when it cannot acknowledge. */
export function followerEvidence(view: FollowerView, evidence: Evidence, nowMs: number): Partial<Evidence> {
  const moved = evidence.replayedLsn !== view.replayedLsn || evidence.replayMovedAtMs === undefined;
  return {
    receivedLsn: view.receivedLsn,
    replayedLsn: view.replayedLsn,
    replayMovedAtMs: moved ? nowMs : evidence.replayMovedAtMs,
    lastCommitAtMs: view.lastCommitAtMs,
    receiverAbsentSinceMs: receiverAbsentSinceMs(evidence, view, nowMs),
  };
}
