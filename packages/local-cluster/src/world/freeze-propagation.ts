import { runState } from './process-identity';

/** A database whose freeze is propagated. */
interface FreezableProcess {
  readonly name: string;
  pid(): number | undefined;
  /** The postmaster and all its backends. */
  processTree(): readonly number[];
}

const INTERVAL_MS = 200;

/**
 * A database consists of many processes, and world.json names only the postmaster. A SIGSTOP from outside stops the
 * postmaster only, while a frozen machine stops every process. This class freezes and thaws the backends together with
 * the postmaster.
 */
export class FreezePropagation {
  readonly #databases: readonly FreezableProcess[];
  readonly #frozen = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(databases: readonly FreezableProcess[]) {
    this.#databases = databases;
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), INTERVAL_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    for (const database of this.#databases) {
      const pid = database.pid();
      const isStopped = pid !== undefined && runState(pid) === 'T';
      // The list is read in every round: a backend may start while the others are being stopped.
      if (isStopped) this.#signalBackends(database, 'SIGSTOP');
      else if (this.#frozen.has(database.name)) this.#signalBackends(database, 'SIGCONT');
      if (isStopped) this.#frozen.add(database.name);
      else this.#frozen.delete(database.name);
    }
  }

  #signalBackends(database: FreezableProcess, signal: 'SIGSTOP' | 'SIGCONT'): void {
    for (const pid of database.processTree()) {
      try {
        process.kill(pid, signal);
      } catch {
        // The process has just ended.
      }
    }
  }
}
