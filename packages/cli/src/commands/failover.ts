import type { OperationReport } from '@evergrant/controller/core/operations';
import type { Command as ControllerRequest } from '@evergrant/controller/core/requests';
import { toStored } from '@evergrant/controller/core/stored-json';
import { request } from '@evergrant/controller/operator-commands';
import { duration } from '@evergrant/core/format';
import type { Command } from 'commander';
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
}

const EXPLANATION = `This moves authority from Oregon to Virginia immediately, even if Oregon is healthy.
If Oregon's database is reachable, it is stopped first and no data is lost.
The way back is a failback in stages (npx evergrant failback).`;

/** `npx evergrant failover`: a manual failover. It skips detection, but not the latch, the fence or the verification. */
export function addFailoverCommand(program: Command, open: OpenTarget): void {
  program
    .command('failover')
    .description('fail over to Virginia (asks for a typed confirmation, or --yes)')
    .option('--yes', 'skip the confirmation')
    .option('--reason <text>', 'recorded in the history', 'not given')
    .option('--no-wait', 'return when the controller has accepted the request')
    .action(async (_options: unknown, command: Command) => {
      const flags = command.optsWithGlobals<Flags>();
      await confirmTyped('failover', EXPLANATION, flags.yes === true);
      await runOperation(open, { kind: 'failover' }, flags);
    });
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
