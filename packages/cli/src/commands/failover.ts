import type { OperationReport } from '@evergrant/controller/core/operations';
import type { Command as ControllerRequest } from '@evergrant/controller/core/requests';
import { toStored } from '@evergrant/controller/core/stored-json';
import { request } from '@evergrant/controller/operator-commands';
import { duration } from '@evergrant/core/format';
import { REGIONS, type Region } from '@evergrant/core/regions';
import { type Command, Option } from 'commander';
import pc from 'picocolors';
import { CommandError, EXIT } from '../errors';
import { createOutput, type Output } from '../output';
import type { OpenTarget, OperatorTarget } from '../target';
import { confirmTyped } from './confirmation';
import { operatorName } from './operator-name';
import { awaitAnswer, followOperation } from './poll-operation';

interface Flags {
  readonly json?: boolean;
  readonly yes?: boolean;
  readonly reason?: string;
  readonly wait?: boolean;
  readonly to?: Region;
  readonly acceptLoss?: boolean;
}

const EXPLANATION = `This moves authority to the other region immediately, even if the active one is healthy.
If the database of the active region is reachable, it is stopped first and no data is lost.
Afterwards npx evergrant rejoin makes the other region the standby again.`;

const ACCEPTED_LOSS = `
With --accept-loss the other region takes over with the data that it has. Changes that it has not received are lost.`;

/** `npx evergrant failover`: a manual failover. It skips detection, but not the latch, the fence or the verification. */
export function addFailoverCommand(program: Command, open: OpenTarget): void {
  program
    .command('failover')
    .description('fail over to the standby region (asks for a typed confirmation, or --yes)')
    .addOption(regionOption('the region that takes over (default: the standby)'))
    .option('--accept-loss', 'also to a region that may lack changes, because it has not rejoined')
    .option('--yes', 'skip the confirmation')
    .option('--reason <text>', 'recorded in the history', 'not given')
    .option('--no-wait', 'return when the controller has accepted the request')
    .action(async (_options: unknown, command: Command) => {
      const flags = command.optsWithGlobals<Flags>();
      const explanation = flags.acceptLoss === true ? `${EXPLANATION}${ACCEPTED_LOSS}` : EXPLANATION;
      await confirmTyped('failover', explanation, flags.yes === true);
      const { to, acceptLoss } = flags;
      await runOperation(open, { kind: 'failover', ...definedOf({ to, acceptLoss }) }, flags);
    });
}

const SWITCHOVER = `This moves authority to the other region, and nothing is lost. The active region stops granting first, for some seconds.
Afterwards npx evergrant rejoin makes the other region the standby again.`;

const REJOIN = `This makes the other region the standby again: its router is fenced, its old database is stopped and kept under
another name, and a follower of the active region is built. Customers are not affected. It may be repeated.`;

/** `npx evergrant switchover` and `npx evergrant rejoin`: a planned change of the active region, and the repair of the pair. */
export function addPairCommands(program: Command, open: OpenTarget): void {
  program
    .command('switchover')
    .description('move authority to the standby region without a loss')
    .addOption(regionOption('the region that takes over (default: the standby)'))
    .option('--yes', 'skip the confirmation')
    .option('--reason <text>', 'recorded in the history', 'not given')
    .option('--no-wait', 'return when the controller has accepted the request')
    .action(async (_options: unknown, command: Command) => {
      const flags = command.optsWithGlobals<Flags>();
      await confirmTyped('switchover', SWITCHOVER, flags.yes === true);
      await runOperation(open, { kind: 'switchover', ...definedOf({ to: flags.to }) }, flags);
    });
  program
    .command('rejoin')
    .description('make the other region a protected standby of the active one again')
    .option('--yes', 'skip the confirmation')
    .option('--reason <text>', 'recorded in the history', 'not given')
    .option('--no-wait', 'return when the controller has accepted the request')
    .action(async (_options: unknown, command: Command) => {
      const flags = command.optsWithGlobals<Flags>();
      await confirmTyped('rejoin', REJOIN, flags.yes === true);
      await runOperation(open, { kind: 'rejoin' }, flags);
    });
}

function regionOption(description: string): Option {
  return new Option('--to <region>', description).choices([...REGIONS]);
}

type Defined<Values> = { [Name in keyof Values]?: Exclude<Values[Name], undefined> };

/** The members that have a value: an absent option is no member of the request. */
function definedOf<Values extends object>(values: Values): Defined<Values> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<Values>;
}

/** Submits a request, waits for its acceptance and follows the operation to its end. */
export async function runOperation(open: OpenTarget, command: ControllerRequest, flags: Flags): Promise<void> {
  const output = createOutput(flags.json === true);
  const target = await open();
  try {
    const report = await submit(target, command, { flags, output });
    if (report) printReport(report, output);
  } finally {
    await target.close();
  }
}

async function submit(
  target: OperatorTarget,
  command: ControllerRequest,
  { flags, output }: { flags: Flags; output: Output },
): Promise<OperationReport | undefined> {
  const operator = { by: operatorName(), reason: flags.reason ?? 'not given' };
  const { effect, requestId } = await request(target.ports, command, operator);
  if (effect.kind !== 'done') {
    throw new CommandError({ exitCode: EXIT.refused, code: effect.kind, message: `Not accepted: ${effect.reason}` });
  }
  const answer = await awaitAnswer(target, requestId, output);
  if (answer.outcome === 'already_done' || answer.operationId === undefined) {
    output.document({ outcome: answer.outcome, reason: answer.reason });
    output.line(`Nothing to do: ${answer.reason}`);
    return undefined;
  }
  if (flags.wait === false) {
    output.document({ outcome: 'accepted', operationId: answer.operationId });
    output.line(`Accepted as ${answer.operationId}. Watch it with: npx evergrant status`);
    return undefined;
  }
  return followOperation(target, answer.operationId, output);
}

function printReport(report: OperationReport, output: Output): void {
  output.document(toStored(report));
  output.line(pc.green(report.summary));
  for (const { phase, enteredAtMs, leftAtMs } of report.timeline) {
    output.line(`  ${phase.padEnd(16)} ${leftAtMs === undefined ? '' : duration(leftAtMs - enteredAtMs)}`);
  }
  output.line(`  ${'total'.padEnd(16)} ${duration(report.endedAtMs - report.startedAtMs)}`);
}
