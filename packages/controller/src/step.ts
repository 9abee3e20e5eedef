import type { Draft } from './control-record-transaction';
import { authorityStanding, isToBeTold, leavePhase, nextPhase, note } from './core/advance';
import type { AuthorityView } from './core/authority';
import { settle } from './core/complete-operation';
import type { Operation, OperationReport } from './core/operations';
import { PHASES_OF } from './core/operations';
import { owe } from './core/pending-fences';
import type { Policy } from './core/policy';
import { type Act, type TransitionRow, transitionFor } from './core/transitions';
import { find } from './observe-phase';
import { EFFECTS } from './phase-effects';
import type { Ports } from './ports';

export interface Step {
  readonly operation: Operation;
  /** The phases that were left in this step, each with what it found, for example `fence: unreachable`. */
  readonly passed: readonly string[];
  readonly observed: string;
  readonly act: Act;
}

interface Stepping {
  readonly ports: Ports;
  readonly policy: Policy;
  readonly authority: AuthorityView;
  readonly draft: Draft;
}

/**
 * Plans one step of the operation into the draft: phases whose end is already seen are passed, the first one that
 * is not done says what to do. What it says is done by `perform`, once the draft is written.
 */
export async function plan(stepping: Stepping, begun: Operation): Promise<Step> {
  const { ports, policy, authority } = stepping;
  const passed: string[] = [];
  let operation = begun;
  for (const _ of PHASES_OF[begun.kind]) {
    if (authorityStanding(operation, authority) === 'other') return superseded(stepping, operation, passed);
    const finding = await find(operation.phase, { ports, operation, authority, policy });
    const row = transitionFor(operation.phase, finding.observed);
    operation = note(operation, finding, row, ports.clock.nowMs());
    if (row.next === 'stay') return stay(stepping, operation, { row, passed });
    if (row.next === 'abandon') return abandon(stepping, operation, { row, passed });
    passed.push(`${row.phase}: ${row.observed}`);
    const after = pass(stepping, operation, finding.reason);
    if (after === null) return { operation, passed, observed: 'done', act: 'none' };
    operation = after;
  }
  throw new Error(`${begun.kind} has more steps than phases`);
}

/** Does what the step says. Throws what the port throws; the next cycle looks whether it worked. */
export async function perform({ ports, policy, authority }: Omit<Stepping, 'draft'>, step: Step): Promise<void> {
  if (step.act === 'none') return;
  await EFFECTS[step.act]({ ports, policy, authority, operation: step.operation });
}

/** Leaves a phase that is done; null when it was the last. */
function pass({ ports, draft }: Stepping, operation: Operation, reason: string): Operation | null {
  const nowMs = ports.clock.nowMs();
  const tookMs = nowMs - operation.phaseSinceMs;
  draft.note({
    kind: 'phase',
    detail: { operationId: operation.id, operation: operation.kind, phase: operation.phase, tookMs, reason },
  });
  if (operation.phase === 'fence' && operation.evidence.fence === 'pending') {
    const { record, entry } = owe(draft.record, operation, { reason, nowMs });
    draft.record = record;
    draft.note(entry);
  }
  const phase = nextPhase(operation);
  const left = leavePhase(operation, phase, nowMs);
  if (phase !== null) return left;
  end(draft, left, 'done', nowMs);
  return null;
}

function stay(
  { ports, policy, draft }: Stepping,
  operation: Operation,
  { row, passed }: { row: TransitionRow; passed: readonly string[] },
): Step {
  const nowMs = ports.clock.nowMs();
  let kept = operation;
  if (operation.stuck !== null && isToBeTold(operation, policy, nowMs)) {
    const text = `${operation.kind} does not get on in phase ${operation.phase} (${operation.stuck.observed}): ${operation.stuck.reason}`;
    draft.alert({ code: 'stuck', severity: 'critical', text });
    kept = { ...operation, stuck: { ...operation.stuck, alertedAtMs: nowMs } };
  }
  draft.change({ operation: kept });
  return { operation: kept, passed, observed: `${row.phase}: ${row.observed}`, act: row.act };
}

function abandon(
  { ports, draft }: Stepping,
  operation: Operation,
  { row, passed }: { row: TransitionRow; passed: readonly string[] },
): Step {
  end(draft, operation, 'abandoned', ports.clock.nowMs());
  return { operation, passed, observed: `${row.phase}: ${row.observed}`, act: row.act };
}

function superseded({ ports, authority, draft }: Stepping, operation: Operation, passed: readonly string[]): Step {
  const observed = `epoch ${authority.epoch} is ${authority.region}'s, by ${authority.operationId ?? 'nobody known'}`;
  end(draft, operation, 'superseded', ports.clock.nowMs());
  return { operation, passed, observed, act: 'none' };
}

/** Ends the operation in the draft: its report, its history, and a word to people. */
export function end(draft: Draft, operation: Operation, outcome: OperationReport['outcome'], nowMs: number): void {
  const { record, report } = settle(draft.record, operation, outcome, nowMs);
  draft.record = record;
  draft.note({ kind: 'operation-ended', detail: report });
  const severity = outcome === 'superseded' ? 'critical' : operation.kind === 'failover' ? 'warning' : 'info';
  draft.alert({ code: `${operation.kind}-${outcome}`, severity, text: report.summary });
}
