import type { ChildProcess } from 'node:child_process';
import type { EventLog } from './events';
import { type ChildDefinition, type ExitReport, startNodeChild } from './node-child';

export interface NodeProcessStatus {
  readonly name: string;
  readonly pid: number | undefined;
  readonly running: boolean;
  readonly exit: ExitReport | undefined;
}

interface Entry {
  readonly definition: ChildDefinition;
  child: ChildProcess | undefined;
  /** Kept after the end, so that scripts can attribute an old pid. */
  lastPid: number | undefined;
  exit: ExitReport | undefined;
}

interface Options {
  readonly distDir: string;
  readonly logDir: string;
  readonly home: string;
  readonly events: EventLog;
  /** Called on every change of a pid. */
  readonly onChange: () => void;
}

const DRAIN_LIMIT_MS = 8_000;

/** The Node processes of the world. A process that ended from outside stays ended until a command starts it. */
export class NodeProcesses {
  readonly #entries = new Map<string, Entry>();
  readonly #options: Options;
  #closing = false;

  constructor(definitions: readonly ChildDefinition[], options: Options) {
    this.#options = options;
    for (const definition of definitions) this.add(definition);
  }

  /** Adds a process, for example a second controller, without starting it. */
  add(definition: ChildDefinition): void {
    this.#entries.set(definition.name, { definition, child: undefined, lastPid: undefined, exit: undefined });
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  names(): string[] {
    return [...this.#entries.keys()];
  }

  /** Starts a process. Does nothing when it is running. */
  start(name: string): void {
    const entry = this.#entry(name);
    if (entry.child || this.#closing) return;
    const child = startNodeChild(entry.definition, this.#options, (exit) => this.#ended(name, entry, exit));
    entry.child = child;
    entry.lastPid = child.pid;
    entry.exit = undefined;
    this.#options.onChange();
  }

  status(name: string): NodeProcessStatus {
    const entry = this.#entry(name);
    return { name, pid: entry.lastPid, running: entry.child !== undefined, exit: entry.exit };
  }

  /** Ends every process: first with SIGTERM, and with SIGKILL after the drain limit. */
  async stopAll(): Promise<void> {
    this.#closing = true;
    const running = [...this.#entries.values()].filter((entry) => entry.child);
    await Promise.all(running.map((entry) => endChild(entry.child)));
  }

  #ended(name: string, entry: Entry, exit: ExitReport): void {
    entry.child = undefined;
    entry.exit = exit;
    if (!this.#closing) {
      const how = exit.signal ? `by ${exit.signal}` : `with exit code ${exit.code}`;
      this.#options.events.add(name, `ended ${how}`, 'warning', { ended: name, ...exit });
    }
    this.#options.onChange();
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (!entry) throw new Error(`there is no process named ${name}`);
    return entry;
  }
}

async function endChild(child: ChildProcess | undefined): Promise<void> {
  if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  child.kill('SIGCONT');
  const force = setTimeout(() => child.kill('SIGKILL'), DRAIN_LIMIT_MS);
  await ended;
  clearTimeout(force);
}
