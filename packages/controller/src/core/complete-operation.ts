import { leavePhase } from './advance';
import type { ControlRecord } from './control-record';
import type { Operation, OperationReport } from './operations';

/** The control record once an operation has ended, and the report that is kept. */
export function settle(
  record: ControlRecord,
  operation: Operation,
  outcome: OperationReport['outcome'],
  nowMs: number,
): { record: ControlRecord; report: OperationReport } {
  const report: OperationReport = {
    ...leavePhase(operation, null, nowMs),
    outcome,
    endedAtMs: nowMs,
    summary: summaryOf(operation, outcome),
  };
  const ended: ControlRecord = {
    ...record,
    operation: null,
    lastOperation: report,
    confirmation: null,
    receiverAbsentSinceMs: null,
    followerReceivedLsn: null,
  };
  return { record: { ...ended, ...consequences(ended, operation, outcome, nowMs) }, report };
}

function consequences(
  record: ControlRecord,
  operation: Operation,
  outcome: OperationReport['outcome'],
  nowMs: number,
): Partial<ControlRecord> {
  if (outcome === 'superseded') {
    const reason = `${operation.kind} ${operation.id} found somebody else's epoch`;
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
      // What the router has just confirmed is owed no longer.
      return {
        pendingFences: record.pendingFences.filter(({ region }) => region !== operation.toRegion),
        failbackDoneAtMs: { ...record.failbackDoneAtMs, 'confirm-fence': nowMs },
      };
    case 'restore-follower':
      // In time of peace it is no stage of a way back.
      return record.failbackDoneAtMs['switchover'] === undefined ? {} : stageDone(record, operation, nowMs);
    default:
      return stageDone(record, operation, nowMs);
  }
}

function stageDone(record: ControlRecord, operation: Operation, nowMs: number): Partial<ControlRecord> {
  return { failbackDoneAtMs: { ...record.failbackDoneAtMs, [operation.kind]: nowMs } };
}

function summaryOf(operation: Operation, outcome: OperationReport['outcome']): string {
  const { kind, toRegion, toEpoch, evidence } = operation;
  if (outcome === 'superseded') return `${kind}: ended, because the authority is somebody else's`;
  if (outcome === 'abandoned') return `${kind}: abandoned in phase ${operation.phase}`;
  if (kind !== 'failover' && kind !== 'switchover') return `${kind}: done`;
  const fence = evidence.fence === 'pending' ? `; the fence of ${operation.fromRegion} is owed` : '';
  return `${toRegion} grants in epoch ${toEpoch}; ${lossOf(operation)}${fence}`;
}

/** What is known to be carried over, and what may not have been. */
function lossOf({ fromRegion, evidence }: Operation): string {
  if (evidence.carriedOver === 'everything') {
    return `nothing was lost: everything up to ${evidence.originLsn} was carried over`;
  }
  const at = evidence.carriedOver === 'part' ? (evidence.replayedLsn ?? 'an unknown position') : evidence.receivedLsn;
  return `what ${fromRegion} committed after ${at ?? evidence.replayedLsn ?? 'an unknown position'} did not arrive`;
}
