import { PRIMARY_REGION } from '@evergrant/core/regions';
import { leavePhase } from './advance';
import type { ControlRecord } from './control-record';
import { type FailbackStage, type Operation, type OperationReport, PHASES_OF } from './operations';

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
  if (outcome === 'abandoned') return isPromotionRecorded(operation) ? { rejoinPending: true } : {};
  switch (operation.kind) {
    case 'failover':
      return {
        automation: { state: 'disarmed', by: 'controller', reason: 'after a failover', sinceMs: nowMs },
        failbackDoneAtMs: {},
        rejoinPending: true,
      };
    case 'switchover':
      // Away from the preferred region it is no stage of a failback.
      return operation.toRegion === PRIMARY_REGION
        ? { ...stagesDone(record, ['switchover'], nowMs), rejoinPending: true }
        : { failbackDoneAtMs: {}, rejoinPending: true };
    case 'rejoin':
      return { ...stagesDone(record, stagesOfRejoin(record, operation), nowMs), ...rejoined(record, operation) };
    case 'arm':
      return {
        automation: { state: 'armed', by: operation.by, reason: operation.reason, sinceMs: nowMs },
        failbackDoneAtMs: { ...record.failbackDoneAtMs, arm: nowMs },
      };
    case 'reopen':
      return {};
    case 'confirm-fence':
      return { ...stagesDone(record, ['confirm-fence'], nowMs), pendingFences: fencesWithout(record, operation) };
    case 'archive-database':
      return stagesDone(record, ['archive-database'], nowMs);
    case 'follow':
      return { ...stagesDone(record, ['follow'], nowMs), rejoinPending: false };
    case 'restore-follower':
      return { ...stagesDone(record, stagesOfRejoin(record, operation), nowMs), rejoinPending: false };
  }
}

function stagesDone(record: ControlRecord, stages: readonly FailbackStage[], nowMs: number): Partial<ControlRecord> {
  const done = Object.fromEntries(stages.map((stage) => [stage, nowMs]));
  return { failbackDoneAtMs: { ...record.failbackDoneAtMs, ...done } };
}

/** The stages of a failback that a rejoin completes. Outside a failback it completes none. */
function stagesOfRejoin({ failbackDoneAtMs }: ControlRecord, { toRegion }: Operation): readonly FailbackStage[] {
  if (toRegion === PRIMARY_REGION) return ['confirm-fence', 'archive-database', 'follow'];
  return failbackDoneAtMs.switchover === undefined ? [] : ['restore-follower'];
}

function rejoined(record: ControlRecord, operation: Operation): Partial<ControlRecord> {
  return { rejoinPending: false, pendingFences: fencesWithout(record, operation) };
}

/** The router of the region has just confirmed its fence, so that fence is not pending any more. */
function fencesWithout(record: ControlRecord, { toRegion }: Operation): ControlRecord['pendingFences'] {
  return record.pendingFences.filter(({ region }) => region !== toRegion);
}

/** From its promotion on, the database of the target may be a primary database that does not follow any more. */
function isPromotionRecorded({ kind, phase }: Operation): boolean {
  const phases = PHASES_OF[kind];
  return phases.includes('promote') && phases.indexOf(phase) >= phases.indexOf('promote');
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
function lossOf({ fromRegion, toRegion, fromEpoch, evidence }: Operation): string {
  if (evidence.carriedOver === 'nothing') {
    return `${toRegion}'s database did not follow: every change that ${fromRegion} acknowledged up to epoch ${fromEpoch}, and that ${toRegion} had not received before, is missing`;
  }
  if (evidence.carriedOver === 'everything') {
    return `nothing was lost: everything up to ${evidence.originLsn} was carried over`;
  }
  const at = evidence.carriedOver === 'part' ? (evidence.replayedLsn ?? 'an unknown position') : evidence.receivedLsn;
  return `what ${fromRegion} committed after ${at ?? evidence.replayedLsn ?? 'an unknown position'} did not arrive`;
}
