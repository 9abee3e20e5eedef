import { setTimeout as wait } from 'node:timers/promises';
import { otherRegion } from '@evergrant/core/regions';
import type { ControlRecord } from './core/control-record';
import type { HistoryEntry } from './core/history';
import { isRejoinPending } from './core/rejoin';
import type { Command, OperatorRequest } from './core/requests';
import type { ControlStore, Ports } from './ports';

/** The author of a command and the reason for it. Both are kept in the history. */
export interface Operator {
  readonly by: string;
  readonly reason: string;
}

/** The result of an operator's command. Only `done` has changed the record. */
export type CommandResult =
  | { readonly kind: 'done'; readonly record: ControlRecord }
  | { readonly kind: 'already_done'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string }
  /** Every attempt conflicted with another writer. */
  | { readonly kind: 'busy'; readonly reason: string };

type OperatorPorts = Pick<Ports, 'control' | 'authority' | 'clock'>;

const ATTEMPTS_MAX = 10;
const ATTEMPT_PAUSE_MS = 50;

/** Stops automatic failovers. Takes effect immediately, also if no controller runs. */
export function pause({ control, clock }: OperatorPorts, operator: Operator): Promise<CommandResult> {
  return change(control, (record) => {
    if (record.automation.state === 'paused') return alreadyDone(`paused by ${record.automation.by}`);
    const automation = { state: 'paused', sinceMs: clock.nowMs(), ...operator } as const;
    return { change: { automation }, history: [commandEntry('pause', operator)] };
  });
}

/** Allows automatic failovers again; only when the standby region has rejoined. */
export async function arm({ control, authority, clock }: OperatorPorts, operator: Operator): Promise<CommandResult> {
  const { region, epoch } = await authority.read();
  return change(control, (record) => {
    if (isRejoinPending(record, region)) {
      return refused(
        `${region} is active, in epoch ${epoch}, and ${otherRegion(region)} has not rejoined as its standby`,
      );
    }
    if (record.operation !== undefined) return refused(`${record.operation.kind} is in progress`);
    if (record.automation.state === 'armed') return alreadyDone(`armed by ${record.automation.by}`);
    const automation = { state: 'armed', sinceMs: clock.nowMs(), ...operator } as const;
    return { change: { automation }, history: [commandEntry('arm', operator)] };
  });
}

/**
 * Records a request for the controller's next cycle. Its answer appears as `lastAnswer`, with the same id.
 *
 * @param id a request is accepted once; the same id is `already_done` afterwards. @default a new one
 */
export async function request(
  { control, clock }: OperatorPorts,
  command: Command,
  { by, reason }: Operator,
  id = clock.newId(),
): Promise<{ effect: CommandResult; requestId: string }> {
  const operator = { by, reason };
  const requested: OperatorRequest = { id, command, atMs: clock.nowMs(), ...operator };
  const name = commandText(command);
  const effect = await change(control, (record) => {
    if (isKnown(id, record)) return alreadyDone('the request has been accepted before');
    if (record.request !== undefined) return refused(`a request of ${record.request.by} waits for its answer`);
    return { change: { request: requested }, history: [commandEntry(name, operator)] };
  });
  return { effect, requestId: requested.id };
}

type Change =
  | { readonly change: Partial<ControlRecord>; readonly history: readonly HistoryEntry[] }
  | Exclude<CommandResult, { kind: 'done' }>;

/** Reads, changes and writes until no other writer conflicts. Attempts are bounded, and jittered against each other. */
async function change(control: ControlStore, decide: (record: ControlRecord) => Change): Promise<CommandResult> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const { version, record } = await control.read();
    const decided = decide(record);
    if ('kind' in decided) return decided;
    const changed = { ...record, ...decided.change };
    const written = await control.write({ version, record: changed, history: decided.history });
    if (written === 'written') return { kind: 'done', record: changed };
    await wait(ATTEMPT_PAUSE_MS * Math.random());
  }
  return { kind: 'busy', reason: `${ATTEMPTS_MAX} writes of the control record conflicted with other writers` };
}

/** True if the request waits, is answered, or has started an operation, which has its id. */
function isKnown(id: string, { request: waiting, lastAnswer, operation, lastOperation }: ControlRecord): boolean {
  return [waiting?.id, lastAnswer?.request.id, operation?.id, lastOperation?.id].includes(id);
}

/** The command as an operator types it. */
export function commandText(command: Command): string {
  if (command.kind === 'failback') return `failback ${command.stage}`;
  const to = 'to' in command && command.to !== undefined ? ` --to ${command.to}` : '';
  const acceptLoss = 'acceptLoss' in command && command.acceptLoss === true ? ' --accept-loss' : '';
  return `${command.kind}${to}${acceptLoss}`;
}

function commandEntry(command: string, { by, reason }: Operator): HistoryEntry {
  return { kind: 'operator', detail: { command, by, reason } };
}

function alreadyDone(reason: string): Exclude<CommandResult, { kind: 'done' }> {
  return { kind: 'already_done', reason };
}

function refused(reason: string): Exclude<CommandResult, { kind: 'done' }> {
  return { kind: 'refused', reason };
}
