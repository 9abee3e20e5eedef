import type { CheckoutOutcome } from '../leases/checkouts';
import { type ClientClock, pauseFor } from '../time/clock';
import type { ClientState, StoredControlRoom } from './schema';
import type { StateFile } from './state-file';

export interface StateAccessOptions {
  readonly stateFile: StateFile | undefined;
  /** The Control Room's identity comes from the file. Without the file the client would register another Control Room. */
  readonly isRequired: boolean;
  /** The processes that do not own the file use its Control Room read-only. */
  readonly isShared: boolean;
  /** How long a process waits for the registration of the owner. */
  readonly deadlineMs: number;
  readonly clock: ClientClock;
  readonly closed: AbortSignal;
  /** The file is free: this process owns it from now on. */
  readonly onOpened: (state: ClientState | undefined) => Promise<void>;
  readonly onShared: (room: StoredControlRoom) => void;
}

const POLL_MS = 200;

const IN_USE = {
  kind: 'refused',
  code: 'state_in_use',
  detail:
    'Another process uses the state file, which identifies the Control Room. Give this process its own stateFile, or set shareStateFile for all of them.',
} as const satisfies CheckoutOutcome;

/**
 * Keeps a client from registering a second Control Room while another process uses its state file. Each checkout tries again,
 * so a client works as soon as the other process has ended.
 */
export class StateAccess {
  readonly #options: StateAccessOptions;
  #blocked: boolean;
  #opening: Promise<CheckoutOutcome | undefined> | undefined;

  constructor(options: StateAccessOptions) {
    this.#options = options;
    this.#blocked = options.isRequired && options.stateFile?.isInUse === true;
    if (this.#blocked && options.isShared) this.#share();
  }

  get isBlocked(): boolean {
    return this.#blocked;
  }

  /** Undefined when the client may use its Control Room, otherwise the outcome of its checkouts. Never rejects. */
  ready(signal: AbortSignal | undefined): Promise<CheckoutOutcome | undefined> {
    if (!this.#blocked) return Promise.resolve(undefined);
    this.#opening ??= this.#open(signal).finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #open(signal: AbortSignal | undefined): Promise<CheckoutOutcome | undefined> {
    const { stateFile, isShared, deadlineMs, clock, closed, onOpened } = this.#options;
    const stop = AbortSignal.any([closed, ...(signal ? [signal] : [])]);
    const endsAtMs = clock.nowMs() + deadlineMs;
    for (;;) {
      if (isShared && this.#share()) return undefined;
      const state = stateFile?.open();
      if (!stateFile?.isInUse) {
        await onOpened(state);
        this.#blocked = false;
        return undefined;
      }
      if (!isShared) return IN_USE;
      if (stop.aborted || clock.nowMs() + POLL_MS >= endsAtMs) {
        return { kind: 'unavailable', because: stop.aborted ? 'stopped' : IN_USE.code };
      }
      await pauseFor(clock, POLL_MS, { signal: stop, background: false });
    }
  }

  /** @returns false until the owner has registered */
  #share(): boolean {
    const room = this.#options.stateFile?.peek()?.room;
    if (room?.licenseId === undefined) return false;
    this.#options.onShared(room);
    this.#blocked = false;
    return true;
  }
}
