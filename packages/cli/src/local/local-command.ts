import type { Command } from 'commander';
import { CommandError, EXIT } from '../errors';
import { createOutput, table } from '../output';
import { WorldClient } from './world-client';

const ACTIONS = {
  kill: 'end processes with SIGKILL, as a crash would',
  stop: 'freeze processes with SIGSTOP: they keep their ports and answer nothing',
  cont: 'let frozen processes go on (SIGCONT)',
  start: 'start processes that have ended',
} as const;

/** `npx evergrant local …`: the processes and links of the world on this machine. */
export function addLocalCommands(program: Command): void {
  const local = program
    .command('local')
    .description('the processes of the two-region world on this machine (names as in .evergrant/world.json)');

  for (const [action, description] of Object.entries(ACTIONS)) {
    local
      .command(`${action} <names...>`)
      .description(`${description}; "oregon" or "virginia" means all of a region`)
      .action(async (names: string[], _options: unknown, command: Command) => {
        await actOnAll(action, names, command.optsWithGlobals<{ json?: boolean }>().json === true);
      });
  }

  local
    .command('list')
    .description('every process with its pid and state')
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
  const change = async (link: string, wanted: { mode?: string; delayMs?: number }, command: Command): Promise<void> => {
    const output = createOutput(command.optsWithGlobals<{ json?: boolean }>().json === true);
    const result = await WorldClient.open().changeLink(link, wanted);
    output.document(result);
    output.line(`link ${link}: ${wanted.mode ?? `delayed by ${wanted.delayMs} ms each way`}`);
  };
  local
    .command('cut <link>')
    .description('let nothing through a link between two places, for example virginia-oregon/router')
    .action((link: string, _options: unknown, command: Command) => change(link, { mode: 'cut' }, command));
  local
    .command('heal <link>')
    .description('open a cut link again')
    .action((link: string, _options: unknown, command: Command) => change(link, { mode: 'open' }, command));
  local
    .command('delay <link> <milliseconds>')
    .description('add a one-way delay to a link')
    .action((link: string, delay: string, _options: unknown, command: Command) =>
      change(link, { delayMs: Number(delay) }, command),
    );
}

async function actOnAll(action: string, names: readonly string[], json: boolean): Promise<void> {
  const output = createOutput(json);
  const world = WorldClient.open();
  const known = (await world.state()).processes;
  const wanted = names.flatMap((name) => {
    const ofPlace = known.filter(({ place }) => place === name).map((entry) => entry.name);
    return ofPlace.length > 0 ? ofPlace : [name];
  });
  const results: { name: string; result: string }[] = [];
  for (const name of wanted) {
    // "oregon" means what there is of it: one process that has ended already is no reason to spare the others.
    const result = await world.act(name, action).catch((error: unknown) => {
      if (names.includes(name) || !(error instanceof CommandError) || error.exitCode !== EXIT.refused) throw error;
      return { name, result: error.message };
    });
    results.push(result);
    output.line(`${name}: ${result.result}`);
  }
  output.document(results);
}
