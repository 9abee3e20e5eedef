import { otherRegion } from '@evergrant/core/regions';
import { type Operation, type OperationKind, PHASES_OF } from './operations';
import { isRejoinPending } from './rejoin';
import {
  evaluateActive,
  isSeenGranting,
  type RequestContext,
  type RequestEvaluation,
  refused,
} from './request-evaluation';
import type { Command } from './requests';

type FailoverCommand = Extract<Command, { kind: 'failover' }>;

/**
 * An operator's failover, in either direction. It skips the detection only. A region that has not rejoined may lack
 * commits of the active one: it takes over only when the operator accepts their loss and the active region does not grant.
 */
export function evaluateFailover(command: FailoverCommand, context: RequestContext): RequestEvaluation {
  const { control, authority } = context;
  const { operation } = control;
  if (operation !== undefined && canUndoPromotion(command, operation, context)) {
    const reason = `${operation.fromRegion} gets a new epoch; ${operation.toRegion} was promoted and must rejoin`;
    return { outcome: 'accepted', reason, abandon: true, start: 'reopen' };
  }
  if (command.to === authority.region) {
    return operation === undefined ? evaluateActive(context) : refused(busyText(operation));
  }
  if (operation !== undefined && !isReplaceable(operation, command)) return refused(busyText(operation));
  return evaluateTakeover(command, context);
}

function evaluateTakeover(command: FailoverCommand, context: RequestContext): RequestEvaluation {
  const { control, authority, standby, standbyWithLoss } = context;
  const { operation } = control;
  const rejoinPending = isRejoinPending(control, authority.region) || operation?.kind === 'failover';
  const notRejoined = rejoinPending ? evaluateNotRejoined(command, context) : undefined;
  if (notRejoined !== undefined) return notRejoined;
  const gate = command.acceptLoss === true ? standbyWithLoss : standby;
  if (gate.reading !== 'up') return refused(`${otherRegion(authority.region)} cannot take over: ${gate.reason}`);
  const reason = rejoinPending ? `${gate.reason}; commits of ${authority.region} may be lost` : gate.reason;
  const start: OperationKind = 'failover';
  return operation === undefined
    ? { outcome: 'accepted', reason, start }
    : { outcome: 'accepted', reason, abandon: true, start };
}

/** The target has not rejoined. Undefined: the operator accepts the loss, and the failover may go on. */
function evaluateNotRejoined(command: FailoverCommand, context: RequestContext): RequestEvaluation | undefined {
  const { authority } = context;
  const { region, epoch } = authority;
  const target = otherRegion(region);
  const granting = isSeenGranting(context);
  // The same command, sent again after the failover to the region that is active now.
  if (granting && command.to === undefined && command.acceptLoss !== true) return evaluateActive(context);
  if (granting) {
    return refused(
      `${region} grants, in epoch ${epoch}, and ${target} has not rejoined: rejoin and switchover lose nothing`,
    );
  }
  if (command.acceptLoss === true) return undefined;
  return refused(
    `${target} has not rejoined since ${region} took over: it may lack every change that was acknowledged in epoch ${epoch}; to accept their loss: failover --to ${target} --accept-loss`,
  );
}

/**
 * May the operation in progress be replaced by this failover? A switchover that has recorded its promotion needs nothing
 * of its origin and continues. A latched operation whose target is lost gives way to a failover that accepts the loss.
 */
function isReplaceable({ kind, phase, toRegion }: Operation, { to, acceptLoss }: FailoverCommand): boolean {
  const isBack = to !== undefined && to !== toRegion && acceptLoss === true;
  if (kind === 'failover') return isBack;
  if (kind !== 'switchover') return true;
  return phase === 'preflight' || phase === 'drain' || isBack;
}

/**
 * The target of a switchover is lost after its promotion was recorded, and the authority has not moved: nothing was
 * granted there, so the origin gets a new epoch.
 */
function canUndoPromotion(command: FailoverCommand, operation: Operation, { authority }: RequestContext): boolean {
  const phases = PHASES_OF.switchover;
  return (
    operation.kind === 'switchover' &&
    command.to === operation.fromRegion &&
    command.acceptLoss === true &&
    authority.epoch === operation.fromEpoch &&
    phases.indexOf(operation.phase) >= phases.indexOf('promote')
  );
}

function busyText({ kind, phase, fromRegion, toRegion }: Operation): string {
  const text = `${kind} is in progress, in phase ${phase}`;
  if (kind !== 'failover' && kind !== 'switchover') return text;
  return `${text}; if ${toRegion} is lost: failover --to ${fromRegion} --accept-loss`;
}
