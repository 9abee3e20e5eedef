import { setTimeout as wait } from 'node:timers/promises';
import { FAILBACK_STAGES } from '../core/operations';
import type { Command } from '../core/requests';
import { arm, type Effect, type Operator, pause, request } from '../operator-commands';
import type { Ports } from '../ports';

/**
 * What a human's tool can send to the Lambda beside the schedule's empty event: an order, or the question what became
 * of one. A runbook's document and the terminal give the same orders.
 */
export type Order =
  | { readonly order: 'pause' | 'arm'; readonly by: string; readonly reason: string }
  | (Requested & { readonly order: 'failover' | 'abort' })
  | (Requested & { readonly order: 'failback'; readonly stage: string })
  | { readonly ask: string };

interface Requested extends Operator {
  /** Whoever may send an order twice names it: under one id it is taken once. @default a new id */
  readonly requestId?: string;
}

/**
 * - `under-way`: not answered, or not ended yet: ask again.
 * - `done`: it has ended as wanted, or was so already.
 * - `refused`: nothing was changed, or the operation ended otherwise; `because` says why.
 */
export interface OperatorEventResult {
  readonly state: 'under-way' | 'done' | 'refused';
  readonly reason: string;
  /** Ask with this id. */
  readonly requestId: string | null;
  /** The state in words that stand nowhere else in an answer: an Automation document looks for them in its text. */
  readonly mark: `order:${OperatorEventResult['state']}`;
}

type OrderPorts = Pick<Ports, 'control' | 'authority' | 'clock'>;

export function isOperatorEvent(event: unknown): event is Order {
  const { order, ask } = (event ?? {}) as { order?: unknown; ask?: unknown };
  return typeof order === 'string' || typeof ask === 'string';
}

/** Leaves the order for the next cycle, which the schedule brings within a minute. */
export async function take(order: Order, ports: OrderPorts): Promise<OperatorEventResult> {
  if ('ask' in order) return progress(order.ask, ports);
  const operator: Operator = { by: order.by, reason: order.reason };
  if (order.order === 'pause') return outcomeOf(await pause(ports, operator));
  if (order.order === 'arm') return outcomeOf(await arm(ports, operator));
  const command = commandOf(order);
  if (command === null) return answerOf('refused', `there is no such order: ${JSON.stringify(order)}`);
  const { effect, requestId } = await request(ports, command, operator, idOf(order));
  // An order that comes a second time: its first answer was lost on the way.
  if (effect.kind === 'already_so') return progress(requestId, ports);
  return effect.kind === 'done'
    ? answerOf('under-way', 'the controller answers it on its next cycle', requestId)
    : answerOf('refused', effect.reason);
}

/** What became of a request, looked at until `withinMs` has passed or it has ended. */
export async function pollResult(requestId: string, ports: OrderPorts, withinMs: number): Promise<OperatorEventResult> {
  const untilMs = ports.clock.nowMs() + withinMs;
  for (;;) {
    const answer = await progress(requestId, ports);
    if (answer.state !== 'under-way' || ports.clock.nowMs() >= untilMs) return answer;
    await wait(1_000);
  }
}

async function progress(requestId: string, { control }: OrderPorts): Promise<OperatorEventResult> {
  const { request: waiting, operation, lastOperation, lastAnswer } = (await control.read()).record;
  if (waiting?.id === requestId) return answerOf('under-way', 'not answered yet', requestId);
  const answered = lastAnswer?.request.id === requestId ? lastAnswer : null;
  if (answered?.outcome === 'refused') return answerOf('refused', answered.reason, requestId);
  if (answered !== null && answered.operationId === null) return answerOf('done', answered.reason, requestId);
  // An operation has the id of the request that began it: it is found when others have been answered since.
  const operationId = answered?.operationId ?? requestId;
  if (operation?.id === operationId) {
    const { kind, phase, stuck } = operation;
    const reason = `${kind}, in phase ${phase}${stuck === null ? '' : `: ${stuck.reason}`}`;
    return answerOf('under-way', reason, requestId);
  }
  if (lastOperation?.id === operationId) {
    return answerOf(lastOperation.outcome === 'done' ? 'done' : 'refused', lastOperation.summary, requestId);
  }
  return answerOf('refused', 'others came after it, or it never came: the history tells how it ended', requestId);
}

function commandOf(order: Exclude<Order, { ask: string }>): Command | null {
  if (order.order === 'failover' || order.order === 'abort') return { kind: order.order };
  const stage = order.order === 'failback' ? FAILBACK_STAGES.find((known) => known === order.stage) : undefined;
  return stage === undefined ? null : { kind: 'failback', stage };
}

function idOf(order: Order): string | undefined {
  return 'requestId' in order ? order.requestId : undefined;
}

function answerOf(
  state: OperatorEventResult['state'],
  reason: string,
  requestId: string | null = null,
): OperatorEventResult {
  return { state, reason, requestId, mark: `order:${state}` };
}

function outcomeOf(effect: Effect): OperatorEventResult {
  if (effect.kind === 'done') return answerOf('done', 'it is so from now on');
  return answerOf(effect.kind === 'already_so' ? 'done' : 'refused', effect.reason);
}
