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
 * The file in which an installation keeps its leases across restarts: for its owner's eyes alone, replaced as a whole,
 * written by one process. Whatever is wrong with it is told and never thrown: without it the client works on, it only
 * forgets.
 */
export class StateFile {
  readonly #path: string;
  readonly #options: StateFileOptions;
  readonly #lock: StateLock;
  #writable = false;
  #next: (() => ClientState) | undefined;
  #writing: Promise<void> | undefined;
  #failed = false;

  constructor(options: StateFileOptions) {
    this.#path = resolve(options.path);
    this.#options = options;
    this.#lock = new StateLock(`${this.#path}.lock`, options.clock);
  }

  /** What was kept; undefined when there is nothing, or nothing that may be used. Call it once, first. */
  open(): ClientState | undefined {
    try {
      const other = this.#lock.take();
      if (other) {
        this.#tell('in_use', `process ${other.pid} on ${other.host} uses it; this one keeps nothing`);
        return undefined;
      }
    } catch (error) {
      this.#tell('not_writable', messageOf(error));
      return undefined;
    }
    this.#writable = true;
    return this.#read();
  }

  /** Writes soon; what is asked for while a write is under way is written after it, once. */
  save(stateOf: () => ClientState): void {
    if (!this.#writable) return;
    this.#next = stateOf;
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
  }

  /** Resolves when everything that was asked for is written, or has failed and was told. */
  async flushed(): Promise<void> {
    await this.#writing;
  }

  /** Resolves when everything is on disk and another process may use the file. */
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
        this.#tell('not_readable', messageOf(error));
        this.#writable = false;
      }
      return undefined;
    }
    const reading = readState(text);
    switch (reading.kind) {
      case 'read':
        return reading.state;
      case 'newer_version':
        // A later release will want it back as it is.
        this.#writable = false;
        this.#tell('newer_version', `it is of version ${reading.version}; nothing is read or written`);
        return undefined;
      case 'damaged':
        this.#putAside(reading.detail);
        return undefined;
    }
  }

  #putAside(detail: string): void {
    const aside = `${this.#path}.damaged`;
    try {
      renameSync(this.#path, aside);
      this.#tell('damaged', `${detail}; it was put aside as ${aside}, and a new one is begun`);
    } catch (error) {
      this.#writable = false;
      this.#tell('damaged', `${detail}, and it could not be put aside: ${messageOf(error)}`);
    }
  }

  async #writeAll(): Promise<void> {
    // What changes in the same turn is written together.
    await undefined;
    for (let next = this.#next; next; next = this.#next) {
      this.#next = undefined;
      try {
        if (!this.#lock.isHeld()) {
          this.#writable = false;
          this.#tell('in_use', 'another process has taken it over; this one keeps nothing any more');
          return;
        }
        await this.#replace(writeState(next()));
        this.#failed = false;
      } catch (error) {
        if (!this.#failed) this.#tell('not_writable', messageOf(error));
        this.#failed = true;
      }
    }
  }

  async #replace(text: string): Promise<void> {
    // One name for all: what a process that died left behind is replaced by the next.
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

  #tell(problem: StateNotice['problem'], detail: string): void {
    this.#options.onNotice({ kind: 'state', problem, detail: `${this.#path}: ${detail}` });
  }
}

/** So that the new name survives a power cut. Not every file system knows it. */
async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, 'r');
    await folder.sync().finally(() => folder.close());
  } catch {
    // The content is safe; at worst the former state comes back.
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
