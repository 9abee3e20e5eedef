import type { Command } from 'commander';
import { createOutput } from '../output';
import type { Target } from '../target';

/** `npx evergrant status`: the state of the target on one page. */
export function addStatusCommand(program: Command, target: () => Target): void {
  program
    .command('status')
    .description('authority, granting regions, the controller, and what runs')
    .action(async (_options: unknown, command: Command) => {
      const { json } = command.optsWithGlobals<{ json?: boolean }>();
      await target().showStatus(createOutput(json === true));
    });
}
