import type { OperationReport } from '@evergrant/controller/core/operations';
import type { Command as Wanted } from '@evergrant/controller/core/requests';
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

const EXPLANATION = `This moves authority from Oregon to Virginia, now, whether Oregon is well or not.
If Oregon's database can be reached it is asked to stop first, and nothing is lost.
Coming back is a failback, stage by stage (npx evergrant failback).`;

/** `npx evergrant failover`: by hand, past the detection but never past the latch, the fence or the verification. */
export function addFailoverCommand(program: Command, open: OpenTarget): void {
  program
    .command('failover')
    .description('fail over to Virginia by hand (asks for a typed confirmation, or --yes)')
    .option('--yes', 'do not ask')
    .option('--reason <text>', 'kept in the history', 'not given')
    .option('--no-wait', 'return when the controller has accepted it')
    .action(async (_options: unknown, command: Command) => {
      const flags = command.optsWithGlobals<Flags>();
      await confirmTyped('failover', EXPLANATION, flags.yes === true);
      await carryOut(open, { kind: 'failover' }, flags);
    });
}

/** Leaves a request, waits for the answer and follows the operation to its end. */
export async function carryOut(open: OpenTarget, wanted: Wanted, flags: Flags): Promise<void> {
  const output = createOutput(flags.json === true);
  const target = await open();
  try {
    const report = await ask(target, wanted, { flags, output });
    if (report) printReport(report, output);
  } finally {
    await target.close();
  }
}

async function ask(
  target: OperatorTarget,
  wanted: Wanted,
  { flags, output }: { flags: Flags; output: Output },
): Promise<OperationReport | undefined> {
  const operator = { by: operatorName(), reason: flags.reason ?? 'not given' };
  const { effect, requestId } = await request(target.ports, wanted, operator);
  if (effect.kind !== 'done') {
    throw new CommandError({ exitCode: EXIT.refused, code: effect.kind, message: `Not accepted: ${effect.reason}` });
  }
  const answer = await awaitAnswer(target, requestId, output);
  if (answer.outcome === 'already_done' || answer.operationId === null) {
    output.document({ outcome: answer.outcome, reason: answer.reason });
    output.line(`Nothing to do: ${answer.reason}`);
    return undefined;
  }
  if (flags.wait === false) {
    output.document({ outcome: 'accepted', operationId: answer.operationId });
    output.line(`Accepted as ${answer.operationId}; watch it with: npx evergrant status`);
    return undefined;
  }
  return followOperation(target, answer.operationId, output);
}

function printReport(report: OperationReport, output: Output): void {
  output.document(report);
  output.line(pc.green(report.summary));
  for (const { phase, enteredAtMs, leftAtMs } of report.timeline) {
    output.line(`  ${phase.padEnd(16)} ${leftAtMs === null ? '' : duration(leftAtMs - enteredAtMs)}`);
  }
  output.line(`  ${'altogether'.padEnd(16)} ${duration(report.endedAtMs - report.startedAtMs)}`);
}
