import { OperatingError } from '@evergrant/core/operating-error';
import { PRIMARY_REGION } from '@evergrant/core/regions';
import { Draft } from './control-record-transaction';
import { tell } from './core/alerting';
import type { AuthorityView } from './core/authority';
import { confirm } from './core/confirmation';
import type { PendingFence } from './core/control-record';
import { promotableFact } from './core/database-view';
import { decide, operating } from './core/decide';
import { answer } from './core/evaluate-request';
import { type Fact, unknown } from './core/facts';
import {
  judge,
  lastSignOfLifeAtMs,
  type Observation,
  receivedLsn,
  receiverAbsentSinceMs,
  standbyFact,
} from './core/observation';
import type { Operation } from './core/operations';
import { debtStep, dueDebts } from './core/pending-fences';
import type { AclView } from './core/phase-views';
import type { Policy } from './core/policy';
import { type Beginning, begin, latchedAfterAll } from './core/start-operation';
import type { Verdict } from './core/verdicts';
import { observe } from './observe';
import type { Ports } from './ports';
import { end, perform, plan, type Step } from './step';

export interface CycleSettings {
  /** The name this controller signs its cycles with. */
  readonly controller: string;
  readonly policy: Policy;
}

/**
 * What one cycle came to. `operating`: an operation is in progress, so the next cycle need not wait for the next sample.
 *
 * - `watched`: a sample was taken and judged.
 * - `stepped`: an operation went one step; `failure` is what its act threw, or null.
 * - `conflict`: another controller wrote first; this one has done nothing.
 * - `blind`: the authority store or the control record could not be read; nothing can be decided without them.
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
  readonly draft: Draft;
}

/**
 * One cycle: observe, decide, record, act. It takes at most one step, never waits for the effect, and remembers
 * nothing outside the control record: it may be killed at any point, run twice at once, or be replayed.
 */
export async function runCycle(ports: Ports, settings: CycleSettings): Promise<CycleOutcome> {
  try {
    // The record first: whoever writes after this moment makes this cycle's write fail.
    const startedAtMs = ports.clock.nowMs();
    const control = await ports.control.read();
    const authority = await ports.authority.read();
    const draft = new Draft(ports, control);
    draft.change({ lastCycleAtMs: startedAtMs, lastCycleBy: settings.controller });
    const cycle = { startedAtMs, ports, policy: settings.policy, authority, draft };
    takeUpLatched(cycle);
    if (draft.record.operation !== null) answerRequest(cycle, unknown('not asked during an operation'));
    return draft.record.operation === null ? await watch(cycle) : await operate(cycle);
  } catch (failure) {
    if (failure instanceof OperatingError) return { kind: 'blind', reason: failure.message };
    throw failure;
  }
}

async function watch(cycle: Cycle): Promise<CycleOutcome> {
  const { ports, policy, authority, draft } = cycle;
  const [observation, looks] = await Promise.all([observe(ports, authority), lookAtDebts(cycle)]);
  const verdict = judgeSample(cycle, observation);
  answerRequest(cycle, standbyFact(observation.standbyApp, promotableFact(observation.follower)));
  if (verdict.kind === 'fail_over' && draft.record.operation === null) {
    const id = ports.clock.newId();
    beginOperation(cycle, { id, kind: 'failover', by: 'controller', reason: verdict.reason, automatic: true });
  }
  const fences = payDebts(cycle, looks);
  if ((await draft.write()) === 'conflict') return { kind: 'conflict' };
  await actInTime(cycle, fences);
  await tellPeople(draft, policy);
  return { kind: 'watched', verdict, operating: draft.record.operation !== null };
}

async function operate(cycle: Cycle): Promise<CycleOutcome> {
  const { policy, draft } = cycle;
  const { operation } = draft.record;
  if (operation === null) throw new Error('there is no operation to step');
  tellVerdict(cycle, operating(operation));
  const [step, looks] = await Promise.all([plan(cycle, operation), lookAtDebts(cycle)]);
  const fences = payDebts(cycle, looks);
  if ((await draft.write()) === 'conflict') return { kind: 'conflict' };
  const [performed] = await actInTime(cycle, [() => perform(cycle, step), ...fences]);
  await tellPeople(draft, policy);
  const failure = performed?.status === 'rejected' ? performed.reason : null;
  return { kind: 'stepped', step, failure, operating: draft.record.operation !== null };
}

/**
 * Does what was recorded, all at once. A controller that was stopped in between and wakes up later means things that
 * others have long done, and undone again: it lets them be.
 */
function actInTime(
  { ports, policy, startedAtMs }: Cycle,
  acts: readonly (() => Promise<void>)[],
): Promise<PromiseSettledResult<void>[]> {
  const lateMs = ports.clock.nowMs() - startedAtMs - policy.actWithinMs;
  const tooLate = new OperatingError({ code: 'too_late', message: `${lateMs} ms too late to act`, retryable: true });
  return Promise.allSettled(acts.map((act) => (lateMs > 0 ? Promise.reject(tooLate) : act())));
}

/** Adds the sample to what is remembered, and names the state of affairs. */
function judgeSample(cycle: Cycle, observation: Observation): Verdict {
  const { policy, draft } = cycle;
  const { activeRegion, atMs, seenAtMs, follower } = observation;
  const facts = judge(observation, policy);
  const { receiverAbsentSinceMs: absentSinceMs, followerReceivedLsn = null } = draft.record;
  const memory = { receiverAbsentSinceMs: absentSinceMs, receivedLsn: followerReceivedLsn };
  const sample = { facts, atMs, lastSignOfLifeAtMs: lastSignOfLifeAtMs(observation, followerReceivedLsn) };
  const isAtHome = activeRegion === PRIMARY_REGION;
  draft.change({
    confirmation: isAtHome ? confirm(draft.record.confirmation, sample, policy) : null,
    receiverAbsentSinceMs: isAtHome ? receiverAbsentSinceMs(memory, follower, seenAtMs) : null,
    followerReceivedLsn: isAtHome ? receivedLsn(followerReceivedLsn, follower) : null,
  });
  const verdict = decide({ ...draft.record, facts, activeRegion }, policy);
  tellVerdict(cycle, verdict);
  return verdict;
}

function tellVerdict({ ports, policy, draft }: Cycle, verdict: Verdict): void {
  const { verdictState, message, history } = tell(draft.record.verdictState, verdict, policy, ports.clock.nowMs());
  draft.change({ verdictState });
  draft.note(...history);
  if (message !== null) draft.alert(message);
}

/**
 * Answers the operator's request, if there is one; what it begins has its id, and takes its first step on the next cycle.
 */
function answerRequest(cycle: Cycle, standby: Fact): void {
  const { ports, authority, draft } = cycle;
  const { request, operation } = draft.record;
  if (request === null) return;
  const nowMs = ports.clock.nowMs();
  const given = answer(request.command, { control: draft.record, authority, standby });
  if ('abandon' in given && operation !== null) end(draft, operation, 'abandoned', nowMs);
  const { by, reason } = request;
  const operationId =
    'begin' in given && given.begin !== null
      ? beginOperation(cycle, { id: request.id, kind: given.begin, by, reason, automatic: false })
      : null;
  const answered = { request, outcome: given.outcome, reason: given.reason, operationId, atMs: nowMs };
  draft.change({ request: null, lastAnswer: answered });
  draft.note({ kind: 'request-answered', detail: answered });
}

function beginOperation({ ports, authority, draft }: Cycle, beginning: Beginning): string {
  const operation = begin(beginning, draft.record, authority, ports.clock.nowMs());
  const { id, kind, by, reason } = beginning;
  start(draft, operation, beginning.automatic ? null : `${kind} begins, asked for by ${by}: ${reason}`);
  return id;
}

/** An operation that was given up while its latch was still on its way has the authority: it goes on. */
function takeUpLatched({ authority, draft }: Cycle): void {
  if (draft.record.operation !== null) return;
  const operation = latchedAfterAll(draft.record.lastOperation, authority);
  if (operation === null) return;
  start(draft, operation, `${operation.kind} goes on: epoch ${operation.toEpoch} was taken after all`);
}

/** `text` is told to people; null: they know already. */
function start(draft: Draft, operation: Operation, text: string | null): void {
  const { id, kind, by, reason } = operation;
  draft.change({ operation });
  draft.note({ kind: 'operation-started', detail: { operationId: id, operation: kind, by, reason } });
  if (text !== null) draft.alert({ code: `${kind}-started`, severity: 'info', text });
}

type DebtLook = { readonly debt: PendingFence; readonly acl: AclView };

function lookAtDebts({ ports, policy, draft }: Cycle): Promise<DebtLook[]> {
  const due = dueDebts(draft.record, policy, ports.clock.nowMs());
  return Promise.all(due.map(async (debt) => ({ debt, acl: await ports.routers.acl(debt.region) })));
}

/** Strikes off the debts that are paid or void; returns the fences to be tried once that is written. */
function payDebts({ ports, authority, draft }: Cycle, looks: readonly DebtLook[]): (() => Promise<void>)[] {
  const fences: (() => Promise<void>)[] = [];
  for (const { debt, acl } of looks) {
    const step = debtStep(debt, authority, acl);
    const others = draft.record.pendingFences.filter(({ region }) => region !== debt.region);
    if (step.kind === 'applied' || step.kind === 'obsolete') {
      const { region } = debt;
      draft.change({ pendingFences: others });
      draft.note({ kind: 'pending-fence', detail: { region, change: step.kind, reason: step.reason } });
      draft.alert({
        code: `pending-fence-${step.kind}`,
        severity: 'info',
        text: `The fence of ${region} is ${step.kind}: ${step.reason}`,
      });
    } else {
      draft.change({ pendingFences: [...others, { ...debt, lastTriedAtMs: ports.clock.nowMs() }] });
    }
    // The debt is the record of the intent: it stands until the fence is seen to stand.
    if (step.kind === 'fence') fences.push(() => ports.routers.fence(debt.region, authority.region));
  }
  return fences;
}

/** An alert that cannot be sent stays in the record, and a later cycle sends it. */
async function tellPeople(draft: Draft, policy: Policy): Promise<void> {
  try {
    await draft.sendAlerts(policy.alertResendAfterMs);
  } catch (failure) {
    if (!(failure instanceof OperatingError)) throw failure;
  }
}
