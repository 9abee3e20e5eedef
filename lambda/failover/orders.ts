import { setTimeout as wait } from 'node:timers/promises';
import { FAILBACK_STAGES } from './core/operations';
import type { Command } from './core/requests';
import { arm, type Effect, type Operator, pause, request } from './operator';
import type { Ports } from './ports';

/**
 * What a human's tool can send to the Lambda beside the schedule's empty event: an order, or the question what became
 * of one. A runbook's document and the terminal give the same orders.
 */
export type Order =
  | { readonly order: 'pause' | 'arm' | 'failover' | 'abort'; readonly by: string; readonly reason: string }
  | { readonly order: 'failback'; readonly stage: string; readonly by: string; readonly reason: string }
  | { readonly ask: string };

/**
 * - `under-way`: not answered, or not ended yet: ask again.
 * - `done`: it has ended as wanted, or was so already.
 * - `refused`: nothing was changed, or the operation ended otherwise; `because` says why.
 */
export interface OrderAnswer {
  readonly state: 'under-way' | 'done' | 'refused';
  readonly because: string;
  /** Ask with this id. */
  readonly requestId: string | null;
}

type OrderPorts = Pick<Ports, 'control' | 'authority' | 'clock'>;

export function isOrder(event: unknown): event is Order {
  const { order, ask } = (event ?? {}) as { order?: unknown; ask?: unknown };
  return typeof order === 'string' || typeof ask === 'string';
}

/** Leaves the order for the next cycle, which the schedule brings within a minute. */
export async function take(order: Order, ports: OrderPorts): Promise<OrderAnswer> {
  if ('ask' in order) return progress(order.ask, ports);
  const operator: Operator = { by: order.by, reason: order.reason };
  if (order.order === 'pause') return answerOf(await pause(ports, operator), null);
  if (order.order === 'arm') return answerOf(await arm(ports, operator), null);
  const command = commandOf(order);
  if (command === null) {
    return { state: 'refused', because: `there is no such order: ${JSON.stringify(order)}`, requestId: null };
  }
  const { effect, requestId } = await request(ports, command, operator);
  return effect.kind === 'done'
    ? { state: 'under-way', because: 'the controller answers it on its next cycle', requestId }
    : answerOf(effect, null);
}

/** What became of a request, looked at until `withinMs` has passed or it has ended. */
export async function awaitEnd(requestId: string, ports: OrderPorts, withinMs: number): Promise<OrderAnswer> {
  const untilMs = ports.clock.nowMs() + withinMs;
  for (;;) {
    const answer = await progress(requestId, ports);
    if (answer.state !== 'under-way' || ports.clock.nowMs() >= untilMs) return answer;
    await wait(1_000);
  }
}

async function progress(requestId: string, { control }: OrderPorts): Promise<OrderAnswer> {
  const { record } = await control.read();
  const answered = record.lastAnswer;
  if (answered?.request.id !== requestId) return { state: 'under-way', because: 'not answered yet', requestId };
  if (answered.outcome === 'refused') return { state: 'refused', because: answered.because, requestId };
  if (answered.operationId === null) return { state: 'done', because: answered.because, requestId };
  if (record.operation?.id === answered.operationId) {
    const { kind, phase, stuck } = record.operation;
    const because = `${kind}, in phase ${phase}${stuck === null ? '' : `: ${stuck.because}`}`;
    return { state: 'under-way', because, requestId };
  }
  const ended = record.lastOperation;
  if (ended?.id !== answered.operationId) return { state: 'done', because: 'it has ended; see the history', requestId };
  return { state: ended.outcome === 'done' ? 'done' : 'refused', because: ended.summary, requestId };
}

function commandOf(order: Exclude<Order, { ask: string }>): Command | null {
  if (order.order === 'failover' || order.order === 'abort') return { kind: order.order };
  const stage = order.order === 'failback' ? FAILBACK_STAGES.find((known) => known === order.stage) : undefined;
  return stage === undefined ? null : { kind: 'failback', stage };
}

function answerOf(effect: Effect, requestId: string | null): OrderAnswer {
  if (effect.kind === 'done') return { state: 'done', because: 'it is so from now on', requestId };
  return { state: effect.kind === 'already-so' ? 'done' : 'refused', because: effect.because, requestId };
}
