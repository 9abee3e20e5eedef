/** `npm start`: runs the local cluster in the foreground until Ctrl-C. */

import { duration } from '@evergrant/core/format';
import pc from 'picocolors';
import { liveView, plainView, type View } from './view/view';
import { LicensingError } from './world/licensing';
import { OptionsError, parseStartOptions, START_HELP } from './world/options';
import { PortsTakenError } from './world/ports';
import { WorldRunningError } from './world/state-directory';
import { World } from './world/world';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

function banner(world: World, tookMs: number): void {
  const { layout, home } = world;
  say('');
  say(`${pc.bold(pc.green('Evergrant grants'))} ${pc.dim(`(up in ${(tookMs / 1000).toFixed(1)} s)`)}`);
  say(`  edge ${layout.url('edge')}   console ${layout.url('edge')}/console`);
  say(`  oregon ${layout.url('oregon/router')}   virginia ${layout.url('virginia/router')}`);
  say(`  every process and the tokens: ${home}/world.json   logs: ${home}/logs`);
  say(
    `  try: ${pc.bold('npx evergrant status')}, then ${pc.bold('npx evergrant local kill oregon')}, and watch Virginia take over`,
  );
  say('');
}

function showFailure(error: unknown): void {
  const expected =
    error instanceof OptionsError ||
    error instanceof PortsTakenError ||
    error instanceof WorldRunningError ||
    error instanceof LicensingError;
  const text = error instanceof Error ? (expected ? error.message : (error.stack ?? error.message)) : String(error);
  process.stderr.write(`${pc.red(text)}\n`);
  process.exitCode = expected ? 2 : 1;
}

const PARENT_LOOK_EVERY_MS = 500;

/**
 * Resolves when the world must end: at the first SIGINT, SIGTERM or SIGHUP, or when the parent `npm start` has exited
 * (npm does not forward SIGTERM). Further signals have no effect, because the shutdown takes a moment.
 */
function askedToEnd(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
    if (process.env.npm_lifecycle_event !== 'start') return;
    const parent = process.ppid;
    setInterval(() => process.ppid !== parent && resolve(), PARENT_LOOK_EVERY_MS).unref();
  });
}

async function main(): Promise<void> {
  const options = parseStartOptions(process.argv.slice(2), process.env);
  if (options.help) return say(START_HELP);
  const ending = askedToEnd();
  const live = process.stdout.isTTY === true;
  const world = new World({ ...options, onProgress: (text) => say(pc.dim(`  ${text}`)) });
  let view: View | undefined;
  try {
    if (!live) view = plainView(() => world.state(), world.events, say);
    const interrupted = ending.then(() => 'interrupted' as const);
    const started = world.start().then(() => 'started' as const);
    started.catch(() => undefined);
    if ((await Promise.race([started, interrupted])) === 'started') {
      banner(world, world.state().upMs);
      if (live) view = liveView(() => world.state(), process.stdout);
      await ending;
    }
  } finally {
    view?.stop();
    const before = performance.now();
    say(pc.dim('Stopping every process …'));
    await world.stop();
    say(
      pc.dim(
        `Stopped in ${duration(performance.now() - before)}.${options.keep ? ` Databases kept in ${world.home}.` : ''}`,
      ),
    );
  }
}

void main()
  .catch(showFailure)
  // No handle may block the terminal after the world has ended.
  .finally(() => process.exit());
