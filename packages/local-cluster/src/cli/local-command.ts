import { CommandError, EXIT } from '@evergrant/cli/errors';
import { createOutput } from '@evergrant/cli/output';
import { table } from '@evergrant/core/text-table';
import type { Command } from 'commander';
import { WorldClient } from './world-client';

const ACTIONS = {
  kill: 'kill processes with SIGKILL',
  stop: 'stop processes with SIGSTOP: they keep their ports but do not answer',
  cont: 'continue stopped processes with SIGCONT',
  start: 'start exited processes',
} as const;

/** `npx evergrant local …`: controls the processes and links of the local cluster. */
export function addLocalCommands(program: Command): void {
  const local = program
    .command('local')
    .description('control the processes of the local cluster (names as in .evergrant/world.json)');

  for (const [action, description] of Object.entries(ACTIONS)) {
    local
      .command(`${action} <names...>`)
      .description(`${description}; "oregon" or "virginia" selects all processes of a region`)
      .action(async (names: string[], _options: unknown, command: Command) => {
        await actOnAll(action, names, command.optsWithGlobals<{ json?: boolean }>().json === true);
      });
  }

  local
    .command('list')
    .description('list every process with its pid and state')
    .action(async (_options: unknown, command: Command) => {
      const output = createOutput(command.optsWithGlobals<{ json?: boolean }>().json === true);
      const { processes } = await WorldClient.open().state();
      output.document(processes);
      output.line(
        table(processes.map(({ name, kind, pid, state, url }) => [name, kind, String(pid ?? '-'), state, url ?? ''])),
      );
    });

  addLinkCommands(local);
}

function addLinkCommands(local: Command): void {
  const changeLink = async (
    link: string,
    change: { mode?: string; delayMs?: number },
    command: Command,
  ): Promise<void> => {
    const output = createOutput(command.optsWithGlobals<{ json?: boolean }>().json === true);
    const result = await WorldClient.open().changeLink(link, change);
    output.document(result);
    output.line(`link ${link}: ${change.mode ?? `delayed by ${change.delayMs} ms each way`}`);
  };
  local
    .command('cut <link>')
    .description('block a link between two locations, for example virginia-oregon/router')
    .action((link: string, _options: unknown, command: Command) => changeLink(link, { mode: 'cut' }, command));
  local
    .command('heal <link>')
    .description('reopen a blocked link')
    .action((link: string, _options: unknown, command: Command) => changeLink(link, { mode: 'open' }, command));
  local
    .command('delay <link> <milliseconds>')
    .description('add a one-way delay to a link')
    .action((link: string, delay: string, _options: unknown, command: Command) =>
      changeLink(link, { delayMs: Number(delay) }, command),
    );
}

async function actOnAll(action: string, names: readonly string[], json: boolean): Promise<void> {
  const output = createOutput(json);
  const world = WorldClient.open();
  const known = (await world.state()).processes;
  const selected = names.flatMap((name) => {
    const ofRegion = known.filter(({ place }) => place === name).map((entry) => entry.name);
    return ofRegion.length > 0 ? ofRegion : [name];
  });
  const results: { name: string; result: string }[] = [];
  for (const name of selected) {
    // A region name selects all its processes: a process that has already exited does not stop the others.
    const result = await world.act(name, action).catch((error: unknown) => {
      if (names.includes(name) || !(error instanceof CommandError) || error.exitCode !== EXIT.refused) throw error;
      return { name, result: error.message };
    });
    results.push(result);
    output.line(`${name}: ${result.result}`);
  }
  output.document(results);
}
