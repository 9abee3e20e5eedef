import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import type { Cancel, ClientClock } from '../time/clock';
import { type LockProcessIdentity, livenessOf, ownIdentity } from './process-identity';

/**
 * Owner of a state file. The lock is a file beside the state file that names the process and is touched regularly. It is
 * stale when the process is known to be dead. When that cannot be known, as between containers and machines, it is stale
 * when it was not touched for a while.
 */
export interface LockOwner extends LockProcessIdentity {
  /** Random for each lock: two clients of one process are two owners. */
  readonly nonce: string;
}

const TOUCH_EVERY_MS = 5_000;
/** Longer than any pause of a living process. */
const STALE_AFTER_MS = 30_000;

export class StateLock {
  readonly #path: string;
  readonly #clock: ClientClock;
  readonly #owner: LockOwner = { nonce: randomUUID(), ...ownIdentity() };
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
  acquire(): LockOwner | undefined {
    const other = this.#tryAcquire() && this.#tryReplaceStale();
    if (other) return other;
    this.#held = true;
    heldInThisProcess.add(this.#owner.nonce);
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
    heldInThisProcess.delete(this.#owner.nonce);
    if (readOwner(this.#path)?.nonce === this.#owner.nonce) rmSync(this.#path, { force: true });
    this.#held = false;
  }

  #tryAcquire(): LockOwner | undefined {
    try {
      writeFileSync(this.#path, JSON.stringify(this.#owner), { flag: 'wx', mode: 0o600 });
      return undefined;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      return readOwner(this.#path) ?? UNKNOWN_OWNER;
    }
  }

  /** Renames a stale lock first: of two processes that see it at the same time, one fails. */
  #tryReplaceStale(): LockOwner | undefined {
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

  #isStale(owner: LockOwner): boolean {
    if (heldInThisProcess.has(owner.nonce)) return false;
    switch (livenessOf(owner, this.#owner)) {
      case 'alive':
        return false;
      case 'dead':
        return true;
      case 'unknown':
        return this.#ageMs() > STALE_AFTER_MS;
    }
  }

  /** Time since the last touch. Both times are of the file system's clock, which may be that of another machine. */
  #ageMs(): number {
    const probe = `${this.#path}.${this.#owner.nonce}`;
    try {
      writeFileSync(probe, '', { mode: 0o600 });
      return statSync(probe).mtimeMs - statSync(this.#path).mtimeMs;
    } catch {
      return Number.POSITIVE_INFINITY;
    } finally {
      rmSync(probe, { force: true });
    }
  }

  #scheduleTouch(): void {
    this.#cancel = this.#clock.after(
      TOUCH_EVERY_MS,
      () => {
        try {
          if (!this.isHeld()) return;
          touch(this.#path, this.#owner);
        } catch {
          // The next write reports the problem.
        }
        this.#scheduleTouch();
      },
      { background: true },
    );
  }
}

/** Owner of a lock that is being written or is damaged: its age decides. */
const UNKNOWN_OWNER: LockOwner = { nonce: '', pid: 0, host: 'unknown', pidSpace: undefined, startedAt: undefined };

/** Nonces of the locks of this process. Two clients in one process are two writers as well. */
const heldInThisProcess = new Set<string>();

/**
 * Writes the same content again, so that the file system sets the time by its own clock. The comparison reads the opened
 * file: a lock that has replaced this one is a different file.
 */
function touch(path: string, owner: LockOwner): void {
  const file = openSync(path, 'r+');
  try {
    if (parseOwner(readFileSync(file, 'utf8'))?.nonce === owner.nonce) writeSync(file, JSON.stringify(owner), 0);
  } finally {
    closeSync(file);
  }
}

function readOwner(path: string): LockOwner | undefined {
  try {
    return parseOwner(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function parseOwner(text: string): LockOwner | undefined {
  const { nonce, pid, host, pidSpace, startedAt } = JSON.parse(text) as Partial<LockOwner>;
  if (typeof nonce !== 'string' || typeof pid !== 'number' || typeof host !== 'string') return undefined;
  return { nonce, pid, host, pidSpace, startedAt };
}
