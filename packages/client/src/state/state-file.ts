import { readFileSync, renameSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { ClientNotice } from '../events';
import type { ClientClock } from '../time/clock';
import { type ClientState, readState, writeState } from './schema';
import { StateLock } from './state-lock';

export interface StateFileOptions {
  readonly path: string;
  readonly clock: ClientClock;
  readonly onNotice: (notice: ClientNotice) => void;
}

type StateNotice = Extract<ClientNotice, { kind: 'state' }>;

/**
 * File that keeps the leases of an installation across restarts. It is readable by its owner only, replaced atomically and
 * written by one process. Problems are notices, never exceptions: without the file the client works, but forgets.
 */
export class StateFile {
  readonly #path: string;
  readonly #options: StateFileOptions;
  readonly #lock: StateLock;
  #writable = false;
  #next: (() => ClientState) | undefined;
  #writing: Promise<void> | undefined;
  #failed = false;
  #inUse = false;

  constructor(options: StateFileOptions) {
    this.#path = resolve(options.path);
    this.#options = options;
    this.#lock = new StateLock(`${this.#path}.lock`, options.clock);
  }

  /** True while another process owns the file. */
  get isInUse(): boolean {
    return this.#inUse;
  }

  /** Returns the stored state; undefined when there is none or it is not usable. Call it first, and again while in use. */
  open(): ClientState | undefined {
    try {
      const other = this.#lock.acquire();
      if (other) {
        const owner = `process ${other.pid} on ${other.host}`;
        if (!this.#inUse) this.#notify('in_use', `${owner} uses the file; this process stores nothing`);
        this.#inUse = true;
        return undefined;
      }
      this.#inUse = false;
    } catch (error) {
      this.#notify('not_writable', messageOf(error));
      return undefined;
    }
    this.#writable = true;
    return this.#read();
  }

  /** Returns the state that the owner has stored, without a lock and without a notice. */
  peek(): ClientState | undefined {
    try {
      const reading = readState(readFileSync(this.#path, 'utf8'));
      return reading.kind === 'read' ? reading.state : undefined;
    } catch {
      return undefined;
    }
  }

  /** Writes soon. Requests during a write are combined into one further write. */
  save(stateOf: () => ClientState): void {
    if (!this.#writable) return;
    this.#next = stateOf;
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Resolves when all requested writes are done or have failed with a notice. */
  async flushed(): Promise<void> {
    await this.#writing;
  }

  /** Resolves when all writes are done and another process may use the file. */
  async close(): Promise<void> {
    await this.#writing;
    this.#writable = false;
    this.#lock.release();
  }

  #read(): ClientState | undefined {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
        this.#notify('not_readable', messageOf(error));
        this.#writable = false;
      }
      return undefined;
    }
    const reading = readState(text);
    switch (reading.kind) {
      case 'read':
        return reading.state;
      case 'newer_version':
        // A later release of the client needs the file unchanged.
        this.#writable = false;
        this.#notify(
          'newer_version',
          `the file has the newer version ${reading.version}; it is neither read nor written`,
        );
        return undefined;
      case 'damaged':
        this.#setAside(reading.detail);
        return undefined;
    }
  }

  #setAside(detail: string): void {
    const aside = `${this.#path}.damaged`;
    try {
      renameSync(this.#path, aside);
      this.#notify('damaged', `${detail}; the file was renamed to ${aside}, and a new one is started`);
    } catch (error) {
      this.#writable = false;
      this.#notify('damaged', `${detail}, and the file cannot be renamed: ${messageOf(error)}`);
    }
  }

  async #writeAll(): Promise<void> {
    // Changes of the same turn of the event loop are written together.
    await undefined;
    for (let next = this.#next; next; next = this.#next) {
      this.#next = undefined;
      try {
        if (!this.#lock.isHeld()) {
          this.#writable = false;
          this.#notify('in_use', 'another process took the file over; this process stores nothing from now on');
          return;
        }
        await this.#replace(writeState(next()));
        this.#failed = false;
      } catch (error) {
        if (!this.#failed) this.#notify('not_writable', messageOf(error));
        this.#failed = true;
      }
    }
  }

  async #replace(text: string): Promise<void> {
    // The name is fixed, so that the next process replaces the leftover of a crashed one.
    const temporary = `${this.#path}.next`;
    await rm(temporary, { force: true });
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, this.#path);
    await syncFolder(dirname(this.#path));
  }

  #notify(problem: StateNotice['problem'], detail: string): void {
    this.#options.onNotice({ kind: 'state', problem, detail: `${this.#path}: ${detail}` });
  }
}

/** Makes the rename durable. Not every file system supports it. */
async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, 'r');
    await folder.sync().finally(() => folder.close());
  } catch {
    // The content is safe. In the worst case the previous state returns.
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
