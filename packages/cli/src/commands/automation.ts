import { arm, type CommandResult, type Operator, pause } from '@evergrant/controller/operator-commands';
import type { Command } from 'commander';
import { CommandError, EXIT } from '../errors';
import { createOutput } from '../output';
import type { OpenTarget, OperatorTarget } from '../target';
import { operatorName } from './operator-name';

interface Flags {
  readonly json?: boolean;
  readonly reason?: string;
}

type Change = (ports: OperatorTarget['ports'], operator: Operator) => Promise<CommandResult>;

/** `pause` and `arm`: disable and enable automatic failover. They take effect immediately. */
export function addAutomationCommands(program: Command, open: OpenTarget): void {
  const add = (name: string, description: string, change: Change, outcome: string): void => {
    program
      .command(name)
      .description(description)
      .option('--reason <text>', 'recorded in the history', 'not given')
      .action(async (_options: unknown, command: Command) => {
        const flags = command.optsWithGlobals<Flags>();
        await changeAutomation(open, { name, outcome, change, flags });
      });
  };
  add('pause', 'disable automatic failover', pause, 'paused: no automatic failover until it is armed');
  add('arm', 'enable automatic failover', arm, 'armed: the controller fails over automatically');
}

async function changeAutomation(
  open: OpenTarget,
  { name, outcome, change, flags }: { name: string; outcome: string; change: Change; flags: Flags },
): Promise<void> {
  const output = createOutput(flags.json === true);
  const target = await open();
  try {
    const effect = await change(target.ports, { by: operatorName(), reason: flags.reason ?? 'not given' });
    if (effect.kind === 'refused' || effect.kind === 'busy') {
      throw new CommandError({ exitCode: EXIT.refused, code: effect.kind, message: `${name}: ${effect.reason}` });
    }
    output.document({ command: name, effect: effect.kind });
    output.line(effect.kind === 'done' ? `Automation ${outcome}.` : `Nothing to do: ${effect.reason}.`);
  } finally {
    await target.close();
  }
}
