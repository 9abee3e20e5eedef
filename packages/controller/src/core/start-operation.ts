import { otherRegion } from '@evergrant/core/regions';
import type { AuthorityView } from './authority';
import type { ControlRecord } from './control-record';
import {
  type Evidence,
  NO_EVIDENCE,
  type Operation,
  type OperationKind,
  type OperationReport,
  PHASES_OF,
} from './operations';

export interface OperationStart {
  readonly kind: OperationKind;
  readonly id: string;
  readonly by: string;
  readonly reason: string;
  readonly automatic: boolean;
}

/**
 * A new operation in its first phase. The active region is the origin. The target is the other region, except for a
 * `reopen`, which gives the authority back to the region that has it.
 */
export function startOperation(
  start: OperationStart,
  control: ControlRecord,
  authority: AuthorityView,
  nowMs: number,
): Operation {
  const [phase] = PHASES_OF[start.kind];
  if (phase === undefined) throw new Error(`${start.kind} has no phases`);
  return {
    ...start,
    fromRegion: authority.region,
    toRegion: start.kind === 'reopen' ? authority.region : otherRegion(authority.region),
    fromEpoch: authority.epoch,
    toEpoch: authority.epoch + 1,
    phase,
    startedAtMs: nowMs,
    phaseSinceMs: nowMs,
    timeline: [{ phase, enteredAtMs: nowMs, leftAtMs: undefined }],
    evidence: {
      ...NO_EVIDENCE,
      ...evidenceOfAbandoned(start, control.operation, authority),
      detectedAtMs: start.automatic ? control.confirmation?.sinceMs : undefined,
      lastRenewalAtMs: authority.renewedAtMs,
      // During an operation the record is not updated, so it is no evidence for an operation that replaces another one.
      receiverAbsentSinceMs: control.operation === undefined ? control.receiverAbsentSinceMs : undefined,
      receivedLsn: control.operation === undefined ? control.followerReceivedLsn : undefined,
    },
    stuck: undefined,
  };
}

/**
 * A failover that replaces a switchover of the same epoch keeps the proof that the origin closed its epoch, and the
 * position to which it granted: the origin may not answer any more.
 */
function evidenceOfAbandoned(
  { kind }: OperationStart,
  abandoned: Operation | undefined,
  authority: AuthorityView,
): Partial<Evidence> {
  if (kind !== 'failover' || abandoned?.kind !== 'switchover' || abandoned.fromEpoch !== authority.epoch) return {};
  const { originClosedAtMs, originLsn } = abandoned.evidence;
  return { originClosedAtMs, originLsn };
}

/**
 * The abandoned operation whose latch arrived after all: its call was under way when another controller abandoned it.
 * No other operation would open that epoch, so this one is resumed. Undefined: there is none.
 */
export function resumableOperation(
  ended: OperationReport | undefined,
  authority: AuthorityView,
): Operation | undefined {
  if (ended?.outcome !== 'abandoned') return undefined;
  if (authority.operationId !== ended.id || authority.epoch !== ended.toEpoch) return undefined;
  const { outcome: _outcome, endedAtMs: _endedAtMs, summary: _summary, ...operation } = ended;
  return operation;
}
