import { otherRegion } from '@evergrant/core/regions';
import type { AuthorityView } from './authority';
import type { ControlRecord } from './control-record';
import { NO_EVIDENCE, type Operation, type OperationKind, type OperationReport, PHASES_OF } from './operations';

export interface Beginning {
  readonly kind: OperationKind;
  readonly id: string;
  readonly by: string;
  readonly reason: string;
  readonly automatic: boolean;
}

/**
 * A new operation in its first phase. The active region is the origin; the target is the other one, except for a
 * `reopen`, which gives the authority back to the region that has it.
 */
export function begin(
  beginning: Beginning,
  control: ControlRecord,
  authority: AuthorityView,
  nowMs: number,
): Operation {
  const [phase] = PHASES_OF[beginning.kind];
  if (phase === undefined) throw new Error(`${beginning.kind} has no phases`);
  return {
    ...beginning,
    fromRegion: authority.region,
    toRegion: beginning.kind === 'reopen' ? authority.region : otherRegion(authority.region),
    fromEpoch: authority.epoch,
    toEpoch: authority.epoch + 1,
    phase,
    startedAtMs: nowMs,
    phaseSinceMs: nowMs,
    timeline: [{ phase, enteredAtMs: nowMs, leftAtMs: null }],
    evidence: {
      ...NO_EVIDENCE,
      detectedAtMs: beginning.automatic ? (control.confirmation?.sinceMs ?? null) : null,
      lastRenewalAtMs: authority.renewedAtMs,
      receiverAbsentSinceMs: control.receiverAbsentSinceMs,
      receivedLsn: control.followerReceivedLsn ?? null,
    },
    stuck: null,
  };
}

/**
 * The abandoned operation whose epoch was taken after all: the call was on its way when another controller gave it up.
 * Nobody else would ever open that epoch, so the operation goes on. Null: there is none.
 */
export function latchedAfterAll(ended: OperationReport | null, authority: AuthorityView): Operation | null {
  if (ended?.outcome !== 'abandoned') return null;
  if (authority.operationId !== ended.id || authority.epoch !== ended.toEpoch) return null;
  const { outcome: _outcome, endedAtMs: _endedAtMs, summary: _summary, ...operation } = ended;
  return operation;
}
