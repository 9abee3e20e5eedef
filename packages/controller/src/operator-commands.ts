import { setTimeout as wait } from 'node:timers/promises';
import { PRIMARY_REGION } from '@evergrant/core/regions';
import type { ControlRecord } from './core/control-record';
import type { HistoryEntry } from './core/history';
import type { Command, OperatorRequest } from './core/requests';
import type { ControlStore, Ports } from './ports';

/** Who asks, and why; both are kept in the history. */
export interface Operator {
  readonly by: string;
  readonly reason: string;
}

/** What became of an operator's command. `refused` and `busy` changed nothing. */
export type Effect =
  | { readonly kind: 'done'; readonly record: ControlRecord }
  | { readonly kind: 'already_so'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string }
  /** Others wrote first, every time. */
  | { readonly kind: 'busy'; readonly reason: string };

type OperatorPorts = Pick<Ports, 'control' | 'authority' | 'clock'>;

const ATTEMPTS_MAX = 10;
const ATTEMPT_PAUSE_MS = 50;

/** From here on nothing fails over by itself. Takes effect at once, whether or not a controller runs. */
export function pause({ control, clock }: OperatorPorts, operator: Operator): Promise<Effect> {
  return change(control, (record) => {
    if (record.automation.state === 'paused') return already(`paused by ${record.automation.by}`);
    const automation = { state: 'paused', sinceMs: clock.nowMs(), ...operator } as const;
    return { change: { automation }, history: [spoken('pause', operator)] };
  });
}

/** Lets the controller fail over by itself again; only while the primary region is active. */
export async function arm({ control, authority, clock }: OperatorPorts, operator: Operator): Promise<Effect> {
  const { region, epoch } = await authority.read();
  if (region !== PRIMARY_REGION) {
    return { kind: 'refused', reason: `${region} is active, in epoch ${epoch}: there is nothing to fail over to` };
  }
  return change(control, (record) => {
    if (record.operation !== null) return refused(`${record.operation.kind} is in progress`);
    if (record.automation.state === 'armed') return already(`armed by ${record.automation.by}`);
    const automation = { state: 'armed', sinceMs: clock.nowMs(), ...operator } as const;
    return { change: { automation }, history: [spoken('arm', operator)] };
  });
}

/**
 * Leaves a request for the controller's next cycle; its answer appears as `lastAnswer`, under the same id.
 *
 * @param id under one id a request is taken once, and is `already-so` afterwards. @default a new one
 */
export async function request(
  { control, clock }: OperatorPorts,
  command: Command,
  { by, reason }: Operator,
  id = clock.newId(),
): Promise<{ effect: Effect; requestId: string }> {
  const operator = { by, reason };
  const asked: OperatorRequest = { id, command, atMs: clock.nowMs(), ...operator };
  const name = command.kind === 'failback' ? `failback ${command.stage}` : command.kind;
  const effect = await change(control, (record) => {
    if (wasTaken(id, record)) return already('it has been taken before');
    if (record.request !== null) return refused(`a request of ${record.request.by} waits to be answered`);
    return { change: { request: asked }, history: [spoken(name, operator)] };
  });
  return { effect, requestId: asked.id };
}

type Change =
  | { readonly change: Partial<ControlRecord>; readonly history: readonly HistoryEntry[] }
  | Exclude<Effect, { kind: 'done' }>;

/** Reads, changes and writes until nobody was faster; bounded, and jittered so that two operators get out of step. */
async function change(control: ControlStore, decide: (record: ControlRecord) => Change): Promise<Effect> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const { version, record } = await control.read();
    const decided = decide(record);
    if ('kind' in decided) return decided;
    const changed = { ...record, ...decided.change };
    const written = await control.write({ version, record: changed, history: decided.history });
    if (written === 'written') return { kind: 'done', record: changed };
    await wait(ATTEMPT_PAUSE_MS * Math.random());
  }
  return { kind: 'busy', reason: `the control record was written by others ${ATTEMPTS_MAX} times` };
}

/** In whatever state the request is: waiting, answered, or the operation that it began, which has its id. */
function wasTaken(id: string, { request: waiting, lastAnswer, operation, lastOperation }: ControlRecord): boolean {
  return [waiting?.id, lastAnswer?.request.id, operation?.id, lastOperation?.id].includes(id);
}

function spoken(command: string, { by, reason }: Operator): HistoryEntry {
  return { kind: 'operator', detail: { command, by, reason } };
}

function already(reason: string): Change {
  return { kind: 'already_so', reason };
}

function refused(reason: string): Change {
  return { kind: 'refused', reason };
}
