import type { Logger } from 'pino';
import type { Caller, ControlRoomState } from '../auth/core/caller';
import type { EpochWork } from '../epochs/epoch-transactions';
import { Batcher } from '../platform/batcher';
import type { MonotonicClock } from '../platform/clock';
import { DatabaseFailure } from '../platform/database-failure';
import { Loop } from '../platform/loop';
import { recordedEveryMs } from './core/control-room';
import type { Registry } from './ports';
import type { MovementReport } from './state-change-logger';

export interface ControlRoomPulseOptions {
  readonly registry: Pick<Registry, 'recordHeartbeats'>;
  readonly work: EpochWork;
  readonly clock: MonotonicClock;
  readonly report: MovementReport;
  readonly log: Logger;
}

const WRITTEN_EVERY_MS = 1_000;
const BATCH_MAX = 1_000;
const REMEMBERED_MAX = 200_000;
/** One that is not active is looked at this often, however busily it calls. */
const REVIVED_EVERY_MS = 1_000;

interface Heard {
  readonly atMs: number;
  readonly state: ControlRoomState;
}

/**
 * Every use of a Control Room's token is a sign of life. It is written down in batches and at most once a minute for
 * each Control Room, never once a request; only one that was given up is written at once, so that its first call
 * already finds it active again.
 */
export class ControlRoomPulse {
  readonly #options: ControlRoomPulseOptions;
  readonly #heard = new Map<string, Heard>();
  readonly #unwritten = new Set<string>();
  readonly #loop: Loop;
  readonly #records: Batcher<string, ControlRoomState | undefined>;

  constructor(options: ControlRoomPulseOptions) {
    this.#options = options;
    this.#records = new Batcher<string, ControlRoomState | undefined>({
      sizeMax: BATCH_MAX,
      waitingMax: 10 * BATCH_MAX,
      overloaded: undefined,
      run: async (controlRooms) => {
        const states = await this.#record([...new Set(controlRooms)]);
        return { kind: 'each', answers: controlRooms.map((controlRoom) => states.get(controlRoom)) };
      },
    });
    this.#loop = new Loop(
      () => this.#writeUnwritten(),
      () => WRITTEN_EVERY_MS,
    );
  }

  start(): void {
    void this.#loop.start();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
    await this.#writeUnwritten();
  }

  /** A token was used. Resolves to the caller as it stands now that it was heard. */
  async hear(caller: Caller): Promise<Caller> {
    const { controlRoom, controlRoomState, graceSeconds = 0 } = caller;
    if (controlRoom === undefined) return caller;
    const nowMs = this.#options.clock.nowMs();
    const heard = this.#heard.get(controlRoom);
    if (controlRoomState === 'active') {
      if (!heard || nowMs - heard.atMs >= recordedEveryMs(graceSeconds)) {
        this.#remember(controlRoom, { atMs: nowMs, state: 'active' });
        this.#unwritten.add(controlRoom);
      }
      return caller;
    }
    const lately = heard && nowMs - heard.atMs < REVIVED_EVERY_MS && heard.state !== 'active';
    const state = lately ? heard.state : await this.#records.add(controlRoom);
    return state === undefined ? caller : { ...caller, controlRoomState: state };
  }

  /** Those of one second together. What cannot be written is forgotten: the next sign of life is near. */
  async #writeUnwritten(): Promise<void> {
    const controlRooms = [...this.#unwritten];
    this.#unwritten.clear();
    for (let from = 0; from < controlRooms.length; from += BATCH_MAX) {
      await this.#record(controlRooms.slice(from, from + BATCH_MAX));
    }
  }

  async #record(controlRooms: readonly string[]): Promise<ReadonlyMap<string, ControlRoomState>> {
    const { registry, work, clock, report, log } = this.#options;
    try {
      const outcome = await work.run('room_heartbeat', controlRooms.length, (expected) =>
        registry.recordHeartbeats(controlRooms, expected),
      );
      if (outcome.kind !== 'done') return this.#forget(controlRooms);
      const atMs = clock.nowMs();
      for (const [controlRoom, state] of outcome.result.states) this.#remember(controlRoom, { atMs, state });
      report.tell(outcome.result.movements);
      return outcome.result.states;
    } catch (error) {
      const level = error instanceof DatabaseFailure && error.retryable ? 'debug' : 'error';
      log[level]({ failure: error instanceof Error ? error.message : error }, 'heartbeats could not be written');
      return this.#forget(controlRooms);
    }
  }

  #forget(controlRooms: readonly string[]): ReadonlyMap<string, ControlRoomState> {
    for (const controlRoom of controlRooms) this.#heard.delete(controlRoom);
    return new Map();
  }

  #remember(controlRoom: string, heard: Heard): void {
    this.#heard.delete(controlRoom);
    if (this.#heard.size >= REMEMBERED_MAX) this.#heard.clear();
    this.#heard.set(controlRoom, heard);
  }
}
