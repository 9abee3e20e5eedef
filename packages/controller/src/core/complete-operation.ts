import { leavePhase } from './advance';
import type { ControlRecord } from './control-record';
import type { Operation, OperationReport } from './operations';

type Outcome = OperationReport['outcome'];

/** Ends an operation: the changed control record, and the report. */
export function completeOperation(
  record: ControlRecord,
  operation: Operation,
  outcome: Outcome,
  nowMs: number,
): { record: ControlRecord; report: OperationReport } {
  const report: OperationReport = {
    ...leavePhase(operation, undefined, nowMs),
    outcome,
    endedAtMs: nowMs,
    summary: summaryOf(operation, outcome),
  };
  const ended: ControlRecord = {
    ...record,
    operation: undefined,
    lastOperation: report,
    confirmation: undefined,
    receiverAbsentSinceMs: undefined,
    followerReceivedLsn: undefined,
  };
  return { record: { ...ended, ...changesOf(ended, operation, outcome, nowMs) }, report };
}

function changesOf(
  record: ControlRecord,
  operation: Operation,
  outcome: Outcome,
  nowMs: number,
): Partial<ControlRecord> {
  if (outcome === 'superseded') {
    const reason = `${operation.kind} ${operation.id} found an epoch that it did not take`;
    return { automation: { state: 'disarmed', by: 'controller', reason, sinceMs: nowMs } };
  }
  if (outcome === 'abandoned') return {};
  switch (operation.kind) {
    case 'failover':
      return {
        automation: { state: 'disarmed', by: 'controller', reason: 'after a failover', sinceMs: nowMs },
        failbackDoneAtMs: {},
      };
    case 'arm':
      return {
        automation: { state: 'armed', by: operation.by, reason: operation.reason, sinceMs: nowMs },
        failbackDoneAtMs: { ...record.failbackDoneAtMs, arm: nowMs },
      };
    case 'reopen':
      return {};
    case 'confirm-fence':
      // The router has just confirmed this fence, so it is not pending any more.
      return {
        pendingFences: record.pendingFences.filter(({ region }) => region !== operation.toRegion),
        failbackDoneAtMs: { ...record.failbackDoneAtMs, 'confirm-fence': nowMs },
      };
    case 'restore-follower':
      // Outside a failback it is not one of its stages.
      return record.failbackDoneAtMs.switchover === undefined ? {} : stageDone(record, operation, nowMs);
    default:
      return stageDone(record, operation, nowMs);
  }
}

function stageDone(record: ControlRecord, operation: Operation, nowMs: number): Partial<ControlRecord> {
  return { failbackDoneAtMs: { ...record.failbackDoneAtMs, [operation.kind]: nowMs } };
}

function summaryOf(operation: Operation, outcome: Outcome): string {
  const { kind, toRegion, toEpoch, evidence } = operation;
  if (outcome === 'superseded') return `${kind}: ended, because another operation holds the authority`;
  if (outcome === 'abandoned') return `${kind}: abandoned in phase ${operation.phase}`;
  if (kind !== 'failover' && kind !== 'switchover') return `${kind}: done`;
  const fence = evidence.fence === 'pending' ? `; the fence of ${operation.fromRegion} is pending` : '';
  return `${toRegion} grants in epoch ${toEpoch}; ${lossOf(operation)}${fence}`;
}

/** Names what is known to be carried over, and what may be lost. */
function lossOf({ fromRegion, evidence }: Operation): string {
  if (evidence.carriedOver === 'everything') {
    return `nothing was lost: everything up to ${evidence.originLsn} was carried over`;
  }
  const at = evidence.carriedOver === 'part' ? (evidence.replayedLsn ?? 'an unknown position') : evidence.receivedLsn;
  return `what ${fromRegion} committed after ${at ?? evidence.replayedLsn ?? 'an unknown position'} did not arrive`;
}
