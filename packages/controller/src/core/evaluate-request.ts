import { otherRegion, PRIMARY_REGION, type Region, STANDBY_REGION } from '@evergrant/core/regions';
import type { ControlRecord } from './control-record';
import { evaluateFailover } from './evaluate-failover';
import { FAILBACK_STAGES, type FailbackStage, type Operation, PHASES_OF } from './operations';
import { isRejoinPending } from './rejoin';
import {
  evaluateActive,
  isSeenGranting,
  outsideText,
  type RequestContext,
  type RequestEvaluation,
  refused,
} from './request-evaluation';
import type { Command } from './requests';

/** The region that must be active for a stage. */
const ACTIVE_FOR: Readonly<Record<FailbackStage, Region>> = {
  'confirm-fence': STANDBY_REGION,
  'archive-database': STANDBY_REGION,
  follow: STANDBY_REGION,
  switchover: STANDBY_REGION,
  'restore-follower': PRIMARY_REGION,
  arm: PRIMARY_REGION,
};

/** These stages may archive a database. While no region grants, that database may be the last one. */
const ARCHIVING: ReadonlySet<FailbackStage> = new Set(['archive-database', 'restore-follower']);

export function evaluateRequest(command: Command, context: RequestContext): RequestEvaluation {
  const { operation } = context.control;
  const busy = operation && refused(`${operation.kind} is in progress, in phase ${operation.phase}`);
  switch (command.kind) {
    case 'abort':
      return evaluateAbort(operation);
    case 'failover':
      return evaluateFailover(command, context);
    case 'switchover':
      return busy ?? evaluateSwitchover(command.to, context);
    case 'rejoin':
      return busy ?? evaluateRejoin(context);
    case 'failback':
      return busy ?? evaluateStage(command.stage, context);
  }
}

/** A planned change of the active region. It loses nothing, so the target must have rejoined. */
function evaluateSwitchover(to: Region | undefined, context: RequestContext): RequestEvaluation {
  const { control, authority } = context;
  if (to === authority.region) return evaluateActive(context);
  const target = otherRegion(authority.region);
  if (isRejoinPending(control, authority.region)) return refused(`${target} has not rejoined: rejoin comes first`);
  const pending = pendingFenceRefusal(control);
  if (pending !== undefined) return pending;
  return { outcome: 'accepted', reason: `${target} has rejoined`, start: 'switchover' };
}

/** Every phase of a rejoin is left when it is done already, so a rejoin may be repeated. */
function evaluateRejoin(context: RequestContext): RequestEvaluation {
  const { authority, outside } = context;
  if (!isSeenGranting(context))
    return refused(`${authority.region} must grant during a rejoin: ${outsideText(outside)}`);
  return { outcome: 'accepted', reason: `${authority.region} is active and grants`, start: 'rejoin' };
}

function evaluateStage(stage: FailbackStage, context: RequestContext): RequestEvaluation {
  const { control, authority, outside } = context;
  const needed = ACTIVE_FOR[stage];
  if (authority.region !== needed) {
    if (stage === 'switchover') return evaluateActive(context);
    return refused(`${stage} requires that ${needed} is active, but ${authority.region} is`);
  }
  const missing = stagesBefore(stage, control).find((earlier) => control.failbackDoneAtMs[earlier] === undefined);
  if (missing !== undefined) return refused(`${missing} comes first`);
  const pending = stage === 'confirm-fence' ? undefined : pendingFenceRefusal(control);
  if (pending !== undefined) return pending;
  if (ARCHIVING.has(stage) && !isSeenGranting(context)) {
    return refused(`${authority.region} must grant during ${stage}: ${outsideText(outside)}`);
  }
  return {
    outcome: 'accepted',
    reason: `${authority.region} is active and every earlier stage is done`,
    start: stage,
  };
}

/** The stages that must be done first: none for a follower that was lost while no failback is in progress. */
function stagesBefore(stage: FailbackStage, { failbackDoneAtMs }: ControlRecord): readonly FailbackStage[] {
  if (stage === 'restore-follower' && failbackDoneAtMs['confirm-fence'] === undefined) return [];
  return FAILBACK_STAGES.slice(0, FAILBACK_STAGES.indexOf(stage));
}

function pendingFenceRefusal({ pendingFences }: ControlRecord): RequestEvaluation | undefined {
  if (pendingFences.length === 0) return undefined;
  return refused(`the fence of ${pendingFences.map(({ region }) => region).join(', ')} is still pending`);
}

/**
 * Every operation except a failover can be abandoned, a switchover only until its promotion is recorded. The region that
 * may have closed its epoch gets a new one, and opens it like any other.
 */
function evaluateAbort(operation: Operation | undefined): RequestEvaluation {
  if (operation === undefined) return refused('nothing is in progress');
  if (operation.kind === 'failover')
    return refused('a failover cannot be abandoned: the old region has lost its epoch');
  if (operation.kind === 'reopen') {
    const { fromRegion } = operation;
    return refused(
      `the switchover is being abandoned already; if ${fromRegion} is lost: failover --to ${otherRegion(fromRegion)}`,
    );
  }
  if (operation.kind !== 'switchover') {
    return { outcome: 'accepted', reason: `${operation.kind} can be started again`, abandon: true, start: undefined };
  }
  const phases = PHASES_OF.switchover;
  if (phases.indexOf(operation.phase) >= phases.indexOf('promote')) {
    return refused(`the promotion of ${operation.toRegion} is recorded: the switchover continues`);
  }
  const reason = `${operation.fromRegion} gets a new epoch`;
  const start = operation.phase === 'preflight' ? undefined : 'reopen';
  return { outcome: 'accepted', reason, abandon: true, start };
}
