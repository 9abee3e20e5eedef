import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Cancel, ClientClock } from '../time/clock';

/**
 * Owner of a state file. The lock is a file beside the state file that names the process and is touched regularly. It is
 * stale when the process is dead, or when it was not touched for a minute.
 */
interface Owner {
  readonly nonce: string;
  readonly pid: number;
  readonly host: string;
}

const TOUCH_EVERY_MS = 10_000;
/** For a process on another host or in another container: longer than any pause of a living process. */
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
   * @returns undefined when the lock was acquired, otherwise its owner
   * @throws when the folder is not writable
   */
  acquire(): { readonly pid: number; readonly host: string } | undefined {
    const other = this.#tryAcquire() && this.#tryReplaceStale();
    if (other) return other;
    this.#held = true;
    this.#scheduleTouch();
    return undefined;
  }

  /**
   * False when another process took the lock over: then this process must not write. A deleted lock file is created again.
   *
   * @throws when the folder is not writable
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

  /** Renames a stale lock first: of two processes that see it at the same time, one fails. */
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
    // Another process was faster, and the renamed file is its fresh lock: it is moved back.
    const wasFresh = moved !== undefined && moved.nonce !== owner.nonce;
    if (wasFresh) renameSync(aside, this.#path);
    else rmSync(aside, { force: true });
    return wasFresh ? moved : this.#tryAcquire();
  }

  #isStale({ pid, host }: Owner): boolean {
    if (host === this.#owner.host) {
      // In containers a restarted process often has the same pid: the earlier process is dead.
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
          // The next write reports the problem.
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

/** Owner of a lock that is being written or is damaged: its age decides. */
const UNKNOWN_OWNER: Owner = { nonce: '', pid: 0, host: 'unknown' };

/** Two clients in one process are two writers as well. */
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
