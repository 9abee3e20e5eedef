import { PRIMARY_REGION, type Region, STANDBY_REGION } from '@evergrant/core/regions';
import type { AuthorityView } from './authority';
import type { ControlRecord } from './control-record';
import type { Fact } from './facts';
import { FAILBACK_STAGES, type FailbackStage, type Operation, type OperationKind, PHASES_OF } from './operations';
import type { Command } from './requests';

/** What an operator's request comes to. `begin` and `end` are carried out in the same write that answers it. */
export type Answer =
  | { readonly outcome: 'accepted'; readonly reason: string; readonly begin: OperationKind }
  /** The operation in progress ends here, and `begin` (if any) begins in its place. */
  | {
      readonly outcome: 'accepted';
      readonly reason: string;
      readonly abandon: true;
      readonly begin: OperationKind | null;
    }
  | { readonly outcome: 'already_done' | 'refused'; readonly reason: string };

export interface Asked {
  readonly control: ControlRecord;
  readonly authority: AuthorityView;
  /** The gate, as it stands now. */
  readonly standby: Fact;
}

/** Which region must be active for a stage. */
const ACTIVE_FOR: Readonly<Record<FailbackStage, Region>> = {
  'confirm-fence': STANDBY_REGION,
  'archive-database': STANDBY_REGION,
  follow: STANDBY_REGION,
  switchover: STANDBY_REGION,
  'restore-follower': PRIMARY_REGION,
  arm: PRIMARY_REGION,
};

export function answer(command: Command, asked: Asked): Answer {
  const { operation } = asked.control;
  if (command.kind === 'abort') return answerAbort(operation);
  if (operation !== null) return refused(`${operation.kind} is in progress, in phase ${operation.phase}`);
  return command.kind === 'failover' ? answerFailover(asked) : answerStage(command.stage, asked);
}

/** A human's failover skips the detection, and nothing else. */
function answerFailover({ authority, standby }: Asked): Answer {
  if (authority.region !== PRIMARY_REGION) {
    return { outcome: 'already_done', reason: `${authority.region} is active, in epoch ${authority.epoch}` };
  }
  if (standby.reading !== 'up') return refused(`the standby cannot take over: ${standby.reason}`);
  return { outcome: 'accepted', reason: standby.reason, begin: 'failover' };
}

function answerStage(stage: FailbackStage, { control, authority }: Asked): Answer {
  const needed = ACTIVE_FOR[stage];
  if (authority.region !== needed) {
    if (stage === 'switchover') return { outcome: 'already_done', reason: `${authority.region} is active already` };
    return refused(`${stage} is for when ${needed} is active, and ${authority.region} is`);
  }
  const missing = stagesBefore(stage, control).find((earlier) => control.failbackDoneAtMs[earlier] === undefined);
  if (missing !== undefined) return refused(`${missing} comes first`);
  if (control.pendingFences.length > 0 && stage !== 'confirm-fence') {
    return refused(`the fence of ${control.pendingFences.map(({ region }) => region).join(', ')} is still owed`);
  }
  return {
    outcome: 'accepted',
    reason: `${authority.region} is active and every earlier stage is done`,
    begin: stage,
  };
}

/** What must be done first: nothing for a follower that was lost in time of peace, with no failback under way. */
function stagesBefore(stage: FailbackStage, { failbackDoneAtMs }: ControlRecord): readonly FailbackStage[] {
  if (stage === 'restore-follower' && failbackDoneAtMs['confirm-fence'] === undefined) return [];
  return FAILBACK_STAGES.slice(0, FAILBACK_STAGES.indexOf(stage));
}

/**
 * What can be abandoned: everything but a failover, and a hand-over only until its promotion is recorded. The region
 * that has (perhaps) closed its epoch gets a new one, which it opens like any other.
 */
function answerAbort(operation: Operation | null): Answer {
  if (operation === null) return refused('nothing is in progress');
  if (operation.kind === 'failover') return refused('a failover is never abandoned: the old region has lost its epoch');
  if (operation.kind === 'reopen') return refused('the hand-over is being abandoned already');
  if (operation.kind !== 'switchover') {
    return { outcome: 'accepted', reason: `${operation.kind} can be started again`, abandon: true, begin: null };
  }
  const phases = PHASES_OF['switchover'];
  if (phases.indexOf(operation.phase) >= phases.indexOf('promote')) {
    return refused(`${operation.toRegion}'s promotion is recorded: the hand-over goes on`);
  }
  const reason = `${operation.fromRegion} gets a new epoch`;
  return { outcome: 'accepted', reason, abandon: true, begin: operation.phase === 'preflight' ? null : 'reopen' };
}

function refused(reason: string): Answer {
  return { outcome: 'refused', reason };
}
