import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Cancel, ClientClock } from '../time/clock';

/**
 * Says that one process writes a state file. The lock is a file beside it that names the process and is touched while
 * it lives; it is stale when that process is known to be killed, or when nobody has touched it for long.
 */
interface Owner {
  readonly nonce: string;
  readonly pid: number;
  readonly host: string;
}

const TOUCH_EVERY_MS = 10_000;
/** For a process on another host, or in another container: long enough that no pause looks like a death. */
const STALE_AFTER_MS = 60_000;

export class StateLock {
  readonly #path: string;
  readonly #clock: ClientClock;
  readonly #owner: Owner = { nonce: randomUUID(), pid: process.pid, host: hostname() };
  #held = false;
  #cancel: Cancel = () => undefined;

  constructor(path: string, clock: ClientClock) {
    this.#path = path;
    this.#clock = clock;
  }

  /**
   * @returns undefined when the lock was taken, or who has it.
   * @throws when the folder cannot be written to.
   */
  take(): { readonly pid: number; readonly host: string } | undefined {
    const other = this.#tryAcquire() && this.#tryReplaceStale();
    if (other) return other;
    this.#held = true;
    this.#scheduleTouch();
    return undefined;
  }

  /**
   * False when another process has taken over, thinking this one killed: then nothing may be written any more. A lock that
   * somebody has tidied away is put back.
   *
   * @throws when the folder cannot be written to.
   */
  isHeld(): boolean {
    if (this.#held && !existsSync(this.#path)) this.#tryAcquire();
    this.#held &&= readOwner(this.#path)?.nonce === this.#owner.nonce;
    return this.#held;
  }

  release(): void {
    this.#cancel();
    if (readOwner(this.#path)?.nonce === this.#owner.nonce) rmSync(this.#path, { force: true });
    this.#held = false;
  }

  #tryAcquire(): Owner | undefined {
    try {
      writeFileSync(this.#path, JSON.stringify(this.#owner), { flag: 'wx', mode: 0o600 });
      return undefined;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      return readOwner(this.#path) ?? UNKNOWN_OWNER;
    }
  }

  /** A stale lock is renamed away first: of two who see it at the same time one finds that it is gone. */
  #tryReplaceStale(): Owner | undefined {
    const owner = readOwner(this.#path) ?? UNKNOWN_OWNER;
    if (!this.#isStale(owner)) return owner;
    const aside = `${this.#path}.${this.#owner.nonce}`;
    try {
      renameSync(this.#path, aside);
    } catch {
      return this.#tryAcquire();
    }
    const moved = readOwner(aside);
    // Another process was faster, and its fresh lock is what was renamed: it gets it back.
    const wasFresh = moved !== undefined && moved.nonce !== owner.nonce;
    if (wasFresh) renameSync(aside, this.#path);
    else rmSync(aside, { force: true });
    return wasFresh ? moved : this.#tryAcquire();
  }

  #isStale({ pid, host }: Owner): boolean {
    if (host === this.#owner.host) {
      // In a container every process has the same number, life after life: the former one is dead.
      if (pid === this.#owner.pid) return !heldInThisProcess.has(this.#path);
      if (!isAlive(pid)) return true;
    }
    try {
      return this.#clock.wallMs() - statSync(this.#path).mtimeMs > STALE_AFTER_MS;
    } catch {
      return true;
    }
  }

  #scheduleTouch(): void {
    heldInThisProcess.add(this.#path);
    const stop = this.#clock.after(
      TOUCH_EVERY_MS,
      () => {
        const nowSeconds = this.#clock.wallMs() / 1_000;
        try {
          if (!this.isHeld()) return;
          utimesSync(this.#path, nowSeconds, nowSeconds);
        } catch {
          // A disk in trouble; the next write will tell.
        }
        this.#scheduleTouch();
      },
      { background: true },
    );
    this.#cancel = () => {
      stop();
      heldInThisProcess.delete(this.#path);
    };
  }
}

/** A lock that is being written, or that is damaged: its age decides. */
const UNKNOWN_OWNER: Owner = { nonce: '', pid: 0, host: 'unknown' };

/** Two clients of one process are two writers as well. */
const heldInThisProcess = new Set<string>();

function readOwner(path: string): Owner | undefined {
  try {
    const { nonce, pid, host } = JSON.parse(readFileSync(path, 'utf8')) as Partial<Owner>;
    return typeof nonce === 'string' && typeof pid === 'number' && typeof host === 'string'
      ? { nonce, pid, host }
      : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
