import { OperatingError } from '@evergrant/core/operating-error';
import { ControlTransaction } from './control-record-transaction';
import { evaluateAlerts } from './core/alerting';
import type { AuthorityView } from './core/authority';
import { confirm } from './core/confirmation';
import type { PendingFence } from './core/control-record';
import { decide, operating } from './core/decide';
import { evaluateRequest } from './core/evaluate-request';
import {
  judge,
  lastSignOfLifeAtMs,
  type Observation,
  receivedLsn,
  receiverAbsentSinceMs,
  standbyOf,
  type Takeover,
} from './core/observation';
import type { Operation } from './core/operations';
import { duePendingFences, pendingFenceStep } from './core/pending-fences';
import type { Policy } from './core/policy';
import { isRejoinPending } from './core/rejoin';
import { type OperationStart, resumableOperation, startOperation } from './core/start-operation';
import type { Verdict } from './core/verdicts';
import type { AclView } from './core/views';
import { observe, observeTakeover } from './observe';
import type { Ports } from './ports';
import { endOperation, execute, plan, type Step } from './step';

export interface CycleSettings {
  /** The name of this controller in the control record. */
  readonly controller: string;
  readonly policy: Policy;
}

/**
 * The result of one cycle. `operating`: an operation is in progress, so the next cycle need not wait for the next sample.
 *
 * - `watched`: a sample was taken and judged.
 * - `stepped`: an operation took one step; `failure` is the error of its effect, if it threw one.
 * - `conflict`: another controller wrote first; this one had no effect.
 * - `blind`: the authority store or the control record could not be read; no decision is possible without them.
 */
export type CycleOutcome =
  | { readonly kind: 'watched'; readonly verdict: Verdict; readonly operating: boolean }
  | { readonly kind: 'stepped'; readonly step: Step; readonly failure: unknown; readonly operating: boolean }
  | { readonly kind: 'conflict' }
  | { readonly kind: 'blind'; readonly reason: string };

interface Cycle {
  readonly startedAtMs: number;
  readonly ports: Ports;
  readonly policy: Policy;
  readonly authority: AuthorityView;
  readonly transaction: ControlTransaction;
}

/**
 * One cycle: observe, decide, record, act. It takes at most one step, never waits for the effect, and keeps its memory
 * in the control record only. So it may be killed at any point, run twice at the same time, or be replayed.
 */
export async function runCycle(ports: Ports, settings: CycleSettings): Promise<CycleOutcome> {
  try {
    // The record is read first: any later write by another controller makes this cycle's write conflict.
    const startedAtMs = ports.clock.nowMs();
    const control = await ports.control.read();
    const authority = await ports.authority.read();
    const transaction = new ControlTransaction(ports, control);
    transaction.update({ lastCycleAtMs: startedAtMs, lastCycleBy: settings.controller });
    const cycle = { startedAtMs, ports, policy: settings.policy, authority, transaction };
    resumeLatchedOperation(cycle);
    await answerDuringOperation(cycle);
    const { operation } = transaction.record;
    return operation === undefined ? await watch(cycle) : await operate(cycle, operation);
  } catch (failure) {
    if (failure instanceof OperatingError) return { kind: 'blind', reason: failure.message };
    throw failure;
  }
}

async function watch(cycle: Cycle): Promise<CycleOutcome> {
  const { ports, policy, authority, transaction } = cycle;
  const [observation, routers] = await Promise.all([observe(ports, authority), observePendingFences(cycle)]);
  const verdict = judgeSample(cycle, observation);
  answerRequest(cycle, standbyOf(observation));
  if (verdict.kind === 'fail_over' && transaction.record.operation === undefined) {
    const id = ports.clock.newId();
    const start: OperationStart = { id, kind: 'failover', by: 'controller', reason: verdict.reason, automatic: true };
    // The alert `fail-over` announces it.
    recordStart(transaction, composeOperation(cycle, start), undefined);
  }
  const fences = advancePendingFences(cycle, routers);
  if ((await transaction.write()) === 'conflict') return { kind: 'conflict' };
  await executeInTime(cycle, fences);
  await sendAlerts(transaction, policy);
  return { kind: 'watched', verdict, operating: transaction.record.operation !== undefined };
}

async function operate(cycle: Cycle, operation: Operation): Promise<CycleOutcome> {
  const { policy, transaction } = cycle;
  recordVerdict(cycle, operating(operation));
  const [step, routers] = await Promise.all([plan(cycle, operation), observePendingFences(cycle)]);
  const fences = advancePendingFences(cycle, routers);
  if ((await transaction.write()) === 'conflict') return { kind: 'conflict' };
  const [executed] = await executeInTime(cycle, [() => execute(cycle, step), ...fences]);
  await sendAlerts(transaction, policy);
  const failure = executed?.status === 'rejected' ? executed.reason : undefined;
  return { kind: 'stepped', step, failure, operating: transaction.record.operation !== undefined };
}

/**
 * Executes the recorded effects at the same time. If the controller was suspended after the observation, other
 * controllers may have executed and reverted these effects long ago. So effects that are too late are skipped.
 */
function executeInTime(
  { ports, policy, startedAtMs }: Cycle,
  effects: readonly (() => Promise<void>)[],
): Promise<PromiseSettledResult<void>[]> {
  const lateMs = ports.clock.nowMs() - startedAtMs - policy.actWithinMs;
  const tooLate = new OperatingError({ code: 'too_late', message: `${lateMs} ms too late to act`, retryable: true });
  return Promise.allSettled(effects.map((effect) => (lateMs > 0 ? Promise.reject(tooLate) : effect())));
}

/** Adds the sample to the control record, and returns the verdict. */
function judgeSample(cycle: Cycle, observation: Observation): Verdict {
  const { policy, transaction } = cycle;
  const { activeRegion, atMs, seenAtMs, follower } = observation;
  const facts = judge(observation, policy);
  const { receiverAbsentSinceMs: absentSinceMs, followerReceivedLsn } = transaction.record;
  const memory = { receiverAbsentSinceMs: absentSinceMs, receivedLsn: followerReceivedLsn };
  const sample = { facts, atMs, lastSignOfLifeAtMs: lastSignOfLifeAtMs(observation, followerReceivedLsn) };
  const rejoinPending = isRejoinPending(transaction.record, activeRegion);
  transaction.update({
    confirmation: rejoinPending ? undefined : confirm(transaction.record.confirmation, sample, policy),
    receiverAbsentSinceMs: receiverAbsentSinceMs(memory, follower, seenAtMs),
    followerReceivedLsn: receivedLsn(followerReceivedLsn, follower),
  });
  const verdict = decide({ ...transaction.record, facts, activeRegion, rejoinPending }, policy);
  recordVerdict(cycle, verdict);
  return verdict;
}

function recordVerdict({ ports, policy, transaction }: Cycle, verdict: Verdict): void {
  const previous = transaction.record.verdictState;
  const { verdictState, alert, history } = evaluateAlerts(previous, verdict, policy, ports.clock.nowMs());
  transaction.update({ verdictState });
  transaction.addHistory(...history);
  if (alert !== undefined) transaction.addAlert(alert);
}

/** During an operation only an operator's request needs the state of the standby region. */
async function answerDuringOperation(cycle: Cycle): Promise<void> {
  const { ports, authority, transaction } = cycle;
  const { operation, request } = transaction.record;
  if (operation === undefined || request === undefined) return;
  answerRequest(cycle, await observeTakeover(ports, authority.region));
}

/** Answers the operator's request, if there is one. An operation that it starts has its id, and steps in the next cycle. */
function answerRequest(cycle: Cycle, takeover: Takeover): void {
  const { ports, authority, transaction } = cycle;
  const { request, operation } = transaction.record;
  if (request === undefined) return;
  const nowMs = ports.clock.nowMs();
  const evaluation = evaluateRequest(request.command, { control: transaction.record, authority, ...takeover });
  const { by, reason } = request;
  const started =
    'start' in evaluation && evaluation.start !== undefined
      ? composeOperation(cycle, { id: request.id, kind: evaluation.start, by, reason, automatic: false })
      : undefined;
  // The new operation is composed first: it may need evidence of the one that it replaces.
  if ('abandon' in evaluation && operation !== undefined) endOperation(transaction, operation, 'abandoned', nowMs);
  if (started !== undefined) recordStart(transaction, started, requestedText(started));
  const operationId = started?.id;
  const answered = { request, outcome: evaluation.outcome, reason: evaluation.reason, operationId, atMs: nowMs };
  transaction.update({ request: undefined, lastAnswer: answered });
  transaction.addHistory({ kind: 'request-answered', detail: answered });
}

function composeOperation({ ports, authority, transaction }: Cycle, start: OperationStart): Operation {
  return startOperation(start, transaction.record, authority, ports.clock.nowMs());
}

function requestedText({ kind, by, reason }: Operation): string {
  return `${kind} started, requested by ${by}: ${reason}`;
}

/** Resumes an operation that was abandoned while its latch was under way: it holds the authority. */
function resumeLatchedOperation({ authority, transaction }: Cycle): void {
  if (transaction.record.operation !== undefined) return;
  const operation = resumableOperation(transaction.record.lastOperation, authority);
  if (operation === undefined) return;
  recordStart(transaction, operation, `${operation.kind} resumed: epoch ${operation.toEpoch} was taken after all`);
}

function recordStart(transaction: ControlTransaction, operation: Operation, alertText: string | undefined): void {
  const { id, kind, by, reason } = operation;
  transaction.update({ operation });
  transaction.addHistory({ kind: 'operation-started', detail: { operationId: id, operation: kind, by, reason } });
  if (alertText !== undefined) transaction.addAlert({ code: `${kind}-started`, severity: 'info', text: alertText });
}

interface PendingFenceObservation {
  readonly pending: PendingFence;
  readonly acl: AclView;
}

function observePendingFences({ ports, policy, transaction }: Cycle): Promise<PendingFenceObservation[]> {
  const due = duePendingFences(transaction.record, policy, ports.clock.nowMs());
  return Promise.all(due.map(async (pending) => ({ pending, acl: await ports.routers.acl(pending.region) })));
}

/** Removes applied and obsolete fences; returns the fences to try after the transaction is written. */
function advancePendingFences(
  { ports, authority, transaction }: Cycle,
  observations: readonly PendingFenceObservation[],
): (() => Promise<void>)[] {
  const fences: (() => Promise<void>)[] = [];
  for (const { pending, acl } of observations) {
    const { region } = pending;
    const step = pendingFenceStep(pending, authority, acl);
    const others = transaction.record.pendingFences.filter((other) => other.region !== region);
    if (step.kind === 'applied' || step.kind === 'obsolete') {
      const { kind, reason } = step;
      transaction.update({ pendingFences: others });
      transaction.addHistory({ kind: 'pending-fence', detail: { region, change: kind, reason } });
      transaction.addAlert({
        code: `pending-fence-${step.kind}`,
        severity: 'info',
        text: `The pending fence of ${region} is ${kind}: ${reason}`,
      });
    } else {
      transaction.update({ pendingFences: [...others, { ...pending, lastTriedAtMs: ports.clock.nowMs() }] });
    }
    // The pending fence is the record of the intent: it remains until the router confirms the fence.
    if (step.kind === 'fence') fences.push(() => ports.routers.fence(region, authority.region));
  }
  return fences;
}

/** An alert that cannot be sent stays in the record, and a later cycle sends it. */
async function sendAlerts(transaction: ControlTransaction, policy: Policy): Promise<void> {
  try {
    await transaction.sendAlerts(policy.alertResendAfterMs);
  } catch (failure) {
    if (!(failure instanceof OperatingError)) throw failure;
  }
}
