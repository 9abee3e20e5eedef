import { runState } from './process-identity';

/** A database as the freezer needs it. */
interface FreezableProcess {
  readonly name: string;
  pid(): number | undefined;
  /** The postmaster and all its backends. */
  processTree(): readonly number[];
}

const INTERVAL_MS = 200;

/**
 * A database is many processes, and world.json names one of them, the postmaster. A SIGSTOP to that pid from outside
 * would leave its backends at work, which no frozen machine does: here the backends freeze and thaw with it.
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
      // Asked on every round: a backend may have been born while the others were being stopped.
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
        // It has ended in this moment.
      }
    }
  }
}
