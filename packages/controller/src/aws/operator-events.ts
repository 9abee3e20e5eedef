import { setTimeout as wait } from 'node:timers/promises';
import { REGIONS } from '@evergrant/core/regions';
import { presentValue } from '../core/legacy-names';
import { FAILBACK_STAGES } from '../core/operations';
import type { Command } from '../core/requests';
import { arm, type CommandResult, type Operator, pause, request } from '../operator-commands';
import type { Ports } from '../ports';

/**
 * The events that an operator's tool can send to the Lambda, beside the empty event of the schedule: an order, or a
 * question for the result of an order (`ask`). The runbook's Automation documents and the terminal send the same events.
 */
export type OperatorEvent =
  | { readonly order: 'pause' | 'arm'; readonly by: string; readonly reason: string }
  | (IdentifiedOperator & { readonly order: 'failover'; readonly to?: string; readonly acceptLoss?: boolean })
  | (IdentifiedOperator & { readonly order: 'switchover'; readonly to?: string })
  | (IdentifiedOperator & { readonly order: 'rejoin' | 'abort' })
  | (IdentifiedOperator & { readonly order: 'failback'; readonly stage: string })
  | { readonly ask: string };

interface IdentifiedOperator extends Operator {
  /** An order that may be sent twice has an id: it is accepted once. @default a new id */
  readonly requestId?: string;
}

/**
 * - `under-way`: not answered or not ended yet; poll again.
 * - `done`: it has ended as requested, or the requested state existed already.
 * - `refused`: nothing was changed, or the operation ended otherwise; `reason` explains it.
 */
export interface OperatorEventResult {
  readonly state: 'under-way' | 'done' | 'refused';
  readonly reason: string;
  /** The name of `reason` for documents of an earlier release. */
  readonly because: string;
  /** The id to poll with; null if there is none. The result is sent as JSON. */
  readonly requestId: string | null;
  /** The state in a form that no other part of a result contains: an Automation document searches the text for it. */
  readonly mark: `order:${OperatorEventResult['state']}`;
}

type OperatorPorts = Pick<Ports, 'control' | 'authority' | 'clock'>;

export function isOperatorEvent(event: unknown): event is OperatorEvent {
  const { order, ask } = (event ?? {}) as { order?: unknown; ask?: unknown };
  return typeof order === 'string' || typeof ask === 'string';
}

/** Records the order for the next cycle, which the schedule starts within a minute. */
export async function accept(event: OperatorEvent, ports: OperatorPorts): Promise<OperatorEventResult> {
  if ('ask' in event) return progressOf(event.ask, ports);
  const operator: Operator = { by: event.by, reason: event.reason };
  if (event.order === 'pause') return resultOfCommand(await pause(ports, operator));
  if (event.order === 'arm') return resultOfCommand(await arm(ports, operator));
  const command = commandOf(event);
  if (command === undefined) return resultOf('refused', `there is no such order: ${JSON.stringify(event)}`);
  const { effect, requestId } = await request(
    ports,
    command,
    operator,
    'requestId' in event ? event.requestId : undefined,
  );
  // The order was sent before, and its first answer was lost.
  if (effect.kind === 'already_done') return progressOf(requestId, ports);
  return effect.kind === 'done'
    ? resultOf('under-way', 'the controller answers it in its next cycle', requestId)
    : resultOf('refused', effect.reason);
}

/** The result of a request, polled until it has ended or `withinMs` has passed. */
export async function pollResult(
  requestId: string,
  ports: OperatorPorts,
  withinMs: number,
): Promise<OperatorEventResult> {
  const untilMs = ports.clock.nowMs() + withinMs;
  for (;;) {
    const result = await progressOf(requestId, ports);
    if (result.state !== 'under-way' || ports.clock.nowMs() >= untilMs) return result;
    await wait(1_000);
  }
}

async function progressOf(requestId: string, { control }: OperatorPorts): Promise<OperatorEventResult> {
  const { request: waiting, operation, lastOperation, lastAnswer } = (await control.read()).record;
  if (waiting?.id === requestId) return resultOf('under-way', 'not answered yet', requestId);
  const answered = lastAnswer?.request.id === requestId ? lastAnswer : undefined;
  if (answered?.outcome === 'refused') return resultOf('refused', answered.reason, requestId);
  if (answered !== undefined && answered.operationId === undefined) return resultOf('done', answered.reason, requestId);
  // An operation has the id of its request, so it is found also after later requests were answered.
  const operationId = answered?.operationId ?? requestId;
  if (operation?.id === operationId) {
    const { kind, phase, stuck } = operation;
    const reason = `${kind}, in phase ${phase}${stuck === undefined ? '' : `: ${stuck.reason}`}`;
    return resultOf('under-way', reason, requestId);
  }
  if (lastOperation?.id === operationId) {
    return resultOf(lastOperation.outcome === 'done' ? 'done' : 'refused', lastOperation.summary, requestId);
  }
  return resultOf(
    'refused',
    'the request is not known, or later ones followed: see the history for its end',
    requestId,
  );
}

function commandOf(event: Extract<OperatorEvent, IdentifiedOperator & { order: string }>): Command | undefined {
  if (event.order === 'rejoin' || event.order === 'abort') return { kind: event.order };
  if (event.order === 'failover' || event.order === 'switchover') {
    const to = REGIONS.find((region) => region === event.to);
    if (event.to !== undefined && to === undefined) return undefined;
    const target = to === undefined ? {} : { to };
    if (event.order === 'switchover') return { kind: 'switchover', ...target };
    return { kind: 'failover', ...target, ...(event.acceptLoss === true ? { acceptLoss: true } : {}) };
  }
  if (event.order !== 'failback') return undefined;
  const name = presentValue('stage', event.stage);
  const stage = FAILBACK_STAGES.find((known) => known === name);
  return stage && { kind: 'failback', stage };
}

function resultOf(
  state: OperatorEventResult['state'],
  reason: string,
  requestId: string | null = null,
): OperatorEventResult {
  return { state, reason, because: reason, requestId, mark: `order:${state}` };
}

function resultOfCommand(result: CommandResult): OperatorEventResult {
  if (result.kind === 'done') return resultOf('done', 'it takes effect immediately');
  return resultOf(result.kind === 'already_done' ? 'done' : 'refused', result.reason);
}
