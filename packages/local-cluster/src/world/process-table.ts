import { setTimeout as delay } from 'node:timers/promises';
import type { Layout } from '../layout';
import { PROCESSES, type ProcessSpec } from '../layout';
import { ControlError, type ProcessAction } from './control-api';
import type { NodeProcesses } from './node-processes';
import { isAlive, runState } from './process-identity';
import type { ProcessEntry, ProcessState } from './world-file';

/** The part of the databases that the table uses. */
export interface DatabaseProcesses {
  /** The postmaster's pid while it runs, else its last pid. */
  pid(name: string): number | undefined;
  isRunning(name: string): boolean;
  /** The postmaster and all its backends. */
  processTree(name: string): readonly number[];
  /** Resolves to a sentence that describes the effect. */
  start(name: string): Promise<string>;
}

interface WorldComponents {
  readonly layout: Layout;
  readonly nodes: NodeProcesses;
  readonly databases: DatabaseProcesses;
}

const NEWS_WITHIN_MS = 1_000;

const SIGNALS: Readonly<Record<Exclude<ProcessAction, 'start'>, NodeJS.Signals>> = {
  kill: 'SIGKILL',
  stop: 'SIGSTOP',
  cont: 'SIGCONT',
};

/** Every process of the world by name: Node processes and databases. */
export class ProcessTable {
  readonly #components: WorldComponents;

  constructor(components: WorldComponents) {
    this.#components = components;
  }

  names(): string[] {
    return this.#specs().map(({ name }) => name);
  }

  entries(): ProcessEntry[] {
    return this.#specs().map((spec) => this.#entry(spec));
  }

  /** @throws ControlError for a name that does not exist. */
  find(name: string): ProcessEntry {
    const spec = this.#specs().find((candidate) => candidate.name === name);
    if (!spec) throw new ControlError('unknown_process', `there is no process named ${name}`, 422);
    return this.#entry(spec);
  }

  /** The running children with their identities, for the recovery after a crash. */
  running(): { name: string; pid: number }[] {
    return this.entries().flatMap(({ name, pid, state }) =>
      pid !== null && state !== 'exited' ? [{ name, pid }] : [],
    );
  }

  /** @throws ControlError when the process is in the wrong state for the action. */
  async act(name: string, action: ProcessAction): Promise<string> {
    const { pid, state, kind } = this.find(name);
    if (action === 'start') {
      if (state === 'paused') {
        throw new ControlError(
          'frozen',
          `${name} is frozen (pid ${pid}); thaw it with: npx evergrant local cont ${name}`,
        );
      }
      if (state === 'running') return `runs already (pid ${pid})`;
      if (kind === 'db') return this.#components.databases.start(name);
      await this.#untilNewsOfEnd(name);
      this.#components.nodes.start(name);
      return `started (pid ${this.find(name).pid})`;
    }
    if (pid === null || state === 'exited') {
      throw new ControlError('not_running', `${name} does not run; start it with: npx evergrant local start ${name}`);
    }
    const pids = kind === 'db' ? this.#components.databases.processTree(name) : [pid];
    for (const each of pids) sendSignal(each, SIGNALS[action]);
    return `${SIGNALS[action]} sent to pid ${pid}`;
  }

  /** Waits for the exit of a process that was just killed. Its successor must not start before. */
  async #untilNewsOfEnd(name: string): Promise<void> {
    const deadline = performance.now() + NEWS_WITHIN_MS;
    while (this.#components.nodes.status(name).running && performance.now() < deadline) await delay(10);
  }

  #specs(): ProcessSpec[] {
    const further = this.#components.nodes
      .names()
      .filter((name) => !PROCESSES.some((spec) => spec.name === name))
      .map((name): ProcessSpec => ({ name, kind: 'controller', place: undefined, offset: undefined }));
    return [...PROCESSES, ...further];
  }

  #entry({ name, kind, place, offset }: ProcessSpec): ProcessEntry {
    const { nodes, databases, layout } = this.#components;
    const isDatabase = kind === 'db';
    const node = isDatabase ? undefined : nodes.status(name);
    const pid = isDatabase ? databases.pid(name) : node?.pid;
    const running = isDatabase ? databases.isRunning(name) : node?.running === true;
    return {
      name,
      kind,
      place: place ?? null,
      pid: pid ?? null,
      state: stateOf(pid, running),
      ...(isDatabase || offset === undefined ? {} : { url: layout.url(name) }),
    };
  }
}

function stateOf(pid: number | undefined, running: boolean): ProcessState {
  if (pid === undefined || !running || !isAlive(pid)) return 'exited';
  return runState(pid) === 'T' ? 'paused' : 'running';
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // The process has just ended.
  }
}
