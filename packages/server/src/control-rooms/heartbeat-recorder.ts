import type { Logger } from 'pino';
import type { Caller, ControlRoomState } from '../auth/core/caller';
import type { EpochTransactions } from '../epochs/epoch-transactions';
import { BackgroundJob, JobFailures } from '../platform/background-job';
import { Batcher } from '../platform/batcher';
import type { MonotonicClock } from '../platform/clock';
import type { Metrics } from '../platform/metrics';
import { recordedEveryMs } from './core/state-policy';
import type { StateChangeLogger } from './state-change-logger';
import type { ControlRoomStore } from './store';

export interface HeartbeatRecorderOptions {
  readonly store: Pick<ControlRoomStore, 'recordHeartbeats'>;
  readonly transactions: EpochTransactions;
  readonly clock: MonotonicClock;
  readonly changeLogger: StateChangeLogger;
  readonly metrics: Metrics;
  readonly log: Logger;
}

const WRITE_EVERY_MS = 1_000;
const BATCH_MAX = 1_000;
const REMEMBERED_MAX = 200_000;
/** A Control Room that is not active is reactivated at most this often, however many requests it sends. */
const REACTIVATE_EVERY_MS = 1_000;

interface LastHeartbeat {
  readonly atMs: number;
  readonly state: ControlRoomState;
}

/**
 * Every use of a Control Room's token counts as a heartbeat. Heartbeats are written in batches, and for each Control
 * Room at most once a minute. The heartbeat of a Control Room that is not active is written at once, so that its first
 * request already finds it active again.
 */
export class HeartbeatRecorder {
  readonly #options: HeartbeatRecorderOptions;
  readonly #last = new Map<string, LastHeartbeat>();
  readonly #unwritten = new Set<string>();
  readonly #job: BackgroundJob;
  readonly #failures: JobFailures;
  readonly #writes: Batcher<string, ControlRoomState | undefined>;

  constructor(options: HeartbeatRecorderOptions) {
    this.#options = options;
    this.#writes = new Batcher<string, ControlRoomState | undefined>({
      sizeMax: BATCH_MAX,
      waitingMax: 10 * BATCH_MAX,
      overloaded: undefined,
      run: async (controlRooms) => {
        const states = await this.#write([...new Set(controlRooms)]);
        return { kind: 'each', answers: controlRooms.map((controlRoom) => states.get(controlRoom)) };
      },
    });
    const { metrics, log } = options;
    const report = {
      name: 'control_room_heartbeats',
      failureMessage: 'heartbeats could not be recorded',
      metrics,
      log,
    };
    this.#failures = new JobFailures(report);
    this.#job = new BackgroundJob({ ...report, everyMs: WRITE_EVERY_MS, step: () => this.#writeUnwritten() });
  }

  start(): void {
    void this.#job.start();
  }

  async stop(): Promise<void> {
    await this.#job.stop();
    await this.#writeUnwritten();
  }

  /** Records a use of the caller's token. Resolves to the caller with the state it has after the heartbeat. */
  async record(caller: Caller): Promise<Caller> {
    const { controlRoom, controlRoomState, graceSeconds = 0 } = caller;
    if (controlRoom === undefined) return caller;
    const nowMs = this.#options.clock.nowMs();
    const last = this.#last.get(controlRoom);
    if (controlRoomState === 'active') {
      if (!last || nowMs - last.atMs >= recordedEveryMs(graceSeconds)) {
        this.#remember(controlRoom, { atMs: nowMs, state: 'active' });
        this.#unwritten.add(controlRoom);
      }
      return caller;
    }
    const isRecent = last && nowMs - last.atMs < REACTIVATE_EVERY_MS && last.state !== 'active';
    const state = isRecent ? last.state : await this.#writes.add(controlRoom);
    return state === undefined ? caller : { ...caller, controlRoomState: state };
  }

  /** Writes the heartbeats of the last second. Failed heartbeats are dropped, because the next ones follow soon. */
  async #writeUnwritten(): Promise<void> {
    const controlRooms = [...this.#unwritten];
    this.#unwritten.clear();
    for (let from = 0; from < controlRooms.length; from += BATCH_MAX) {
      await this.#write(controlRooms.slice(from, from + BATCH_MAX));
    }
  }

  async #write(controlRooms: readonly string[]): Promise<ReadonlyMap<string, ControlRoomState>> {
    const { store, transactions, clock, changeLogger } = this.#options;
    try {
      const outcome = await transactions.execute('room_heartbeat', controlRooms.length, (expected) =>
        store.recordHeartbeats(controlRooms, expected),
      );
      this.#failures.succeeded();
      if (outcome.kind !== 'done') return this.#forget(controlRooms);
      const atMs = clock.nowMs();
      for (const [controlRoom, state] of outcome.result.states) this.#remember(controlRoom, { atMs, state });
      changeLogger.log(outcome.result.changes);
      return outcome.result.states;
    } catch (error) {
      this.#failures.failed(error);
      return this.#forget(controlRooms);
    }
  }

  #forget(controlRooms: readonly string[]): ReadonlyMap<string, ControlRoomState> {
    for (const controlRoom of controlRooms) this.#last.delete(controlRoom);
    return new Map();
  }

  #remember(controlRoom: string, heartbeat: LastHeartbeat): void {
    this.#last.delete(controlRoom);
    if (this.#last.size >= REMEMBERED_MAX) this.#last.clear();
    this.#last.set(controlRoom, heartbeat);
  }
}
