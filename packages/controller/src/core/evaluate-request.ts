import { PRIMARY_REGION, type Region, STANDBY_REGION } from '@evergrant/core/regions';
import type { AuthorityView } from './authority';
import type { ControlRecord } from './control-record';
import type { Fact } from './facts';
import { FAILBACK_STAGES, type FailbackStage, type Operation, type OperationKind, PHASES_OF } from './operations';
import type { Command } from './requests';

/** The decision on an operator's request. `start` and `abandon` are part of the same write as the answer. */
export type RequestEvaluation =
  | { readonly outcome: 'accepted'; readonly reason: string; readonly start: OperationKind }
  /** The operation in progress ends, and `start` (if any) begins in its place. */
  | {
      readonly outcome: 'accepted';
      readonly reason: string;
      readonly abandon: true;
      readonly start: OperationKind | undefined;
    }
  | { readonly outcome: 'already_done' | 'refused'; readonly reason: string };

export interface OperatorRequestContext {
  readonly control: ControlRecord;
  readonly authority: AuthorityView;
  /** The present state of the gate. */
  readonly standby: Fact;
}

/** The region that must be active for a stage. */
const ACTIVE_FOR: Readonly<Record<FailbackStage, Region>> = {
  'confirm-fence': STANDBY_REGION,
  'archive-database': STANDBY_REGION,
  follow: STANDBY_REGION,
  switchover: STANDBY_REGION,
  'restore-follower': PRIMARY_REGION,
  arm: PRIMARY_REGION,
};

export function evaluateRequest(command: Command, context: OperatorRequestContext): RequestEvaluation {
  const { operation } = context.control;
  if (command.kind === 'abort') return evaluateAbort(operation);
  if (operation !== undefined) return refused(`${operation.kind} is in progress, in phase ${operation.phase}`);
  return command.kind === 'failover' ? evaluateFailover(context) : evaluateStage(command.stage, context);
}

/** An operator's failover skips the detection only. */
function evaluateFailover({ authority, standby }: OperatorRequestContext): RequestEvaluation {
  if (authority.region !== PRIMARY_REGION) {
    return { outcome: 'already_done', reason: `${authority.region} is active, in epoch ${authority.epoch}` };
  }
  if (standby.reading !== 'up') return refused(`the standby cannot take over: ${standby.reason}`);
  return { outcome: 'accepted', reason: standby.reason, start: 'failover' };
}

function evaluateStage(stage: FailbackStage, { control, authority }: OperatorRequestContext): RequestEvaluation {
  const needed = ACTIVE_FOR[stage];
  if (authority.region !== needed) {
    if (stage === 'switchover') return { outcome: 'already_done', reason: `${authority.region} is active already` };
    return refused(`${stage} requires that ${needed} is active, but ${authority.region} is`);
  }
  const missing = stagesBefore(stage, control).find((earlier) => control.failbackDoneAtMs[earlier] === undefined);
  if (missing !== undefined) return refused(`${missing} comes first`);
  if (control.pendingFences.length > 0 && stage !== 'confirm-fence') {
    return refused(`the fence of ${control.pendingFences.map(({ region }) => region).join(', ')} is still pending`);
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

/**
 * Every operation except a failover can be abandoned, a switchover only until its promotion is recorded. The region that
 * may have closed its epoch gets a new one, and opens it like any other.
 */
function evaluateAbort(operation: Operation | undefined): RequestEvaluation {
  if (operation === undefined) return refused('nothing is in progress');
  if (operation.kind === 'failover')
    return refused('a failover cannot be abandoned: the old region has lost its epoch');
  if (operation.kind === 'reopen') return refused('the switchover is being abandoned already');
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

function refused(reason: string): RequestEvaluation {
  return { outcome: 'refused', reason };
}
