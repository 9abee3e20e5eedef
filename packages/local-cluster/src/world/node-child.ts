import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { EventLevel, EventLog } from './events';

export interface ChildDefinition {
  readonly name: string;
  /** Bundled entry below dist/, for example `server/main.js`. */
  readonly entry: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface ExitReport {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

interface Surroundings {
  readonly distDir: string;
  readonly logDir: string;
  readonly home: string;
  readonly events: EventLog;
}

/** The event level for one of pino's numeric levels. */
function eventLevel(pinoLevel: unknown): EventLevel {
  if (typeof pinoLevel !== 'number' || pinoLevel < 40) return 'info';
  return pinoLevel < 50 ? 'warning' : 'alarm';
}

function announce(events: EventLog, name: string, line: string): void {
  if (!line.includes('"announce"')) return;
  try {
    const fields = JSON.parse(line) as Record<string, unknown>;
    if (typeof fields.announce === 'string') events.add(name, fields.announce, eventLevel(fields.level), fields);
  } catch {
    // An incomplete line of a killed process. The log file contains it; no event is needed.
  }
}

/**
 * Starts one Node process of the world in its own process group. A Ctrl-C in the terminal then reaches only the main
 * process, which ends the others in order. The log goes to `<logDir>/<name>.log`.
 *
 * @returns the running child. `onExit` is called once, after any kind of end.
 */
export function startNodeChild(
  definition: ChildDefinition,
  around: Surroundings,
  onExit: (report: ExitReport) => void,
): ChildProcess {
  const log = createWriteStream(join(around.logDir, `${definition.name.replaceAll('/', '-')}.log`), { flags: 'a' });
  const child = spawn(
    process.execPath,
    [
      '--enable-source-maps',
      '--require',
      join(around.distDir, 'local-cluster/parent-watchdog.js'),
      join(around.distDir, definition.entry),
    ],
    {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { PATH: process.env.PATH, HOME: process.env.HOME, EVERGRANT_WORLD_HOME: around.home, ...definition.env },
    },
  );
  child.stdout?.pipe(log, { end: false });
  child.stderr?.pipe(log, { end: false });
  if (child.stdout) createInterface(child.stdout).on('line', (line) => announce(around.events, definition.name, line));
  child.once('error', (error) =>
    log.write(`${JSON.stringify({ level: 60, msg: 'cannot start', error: error.message })}\n`),
  );
  child.once('close', () => log.end());
  child.once('exit', (code, signal) => {
    onExit({ code, signal });
  });
  return child;
}
