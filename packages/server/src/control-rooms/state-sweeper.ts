import type { Logger } from 'pino';
import type { RoleMonitor } from '../epochs/role-monitor';
import { BackgroundJob } from '../platform/background-job';
import type { Metrics } from '../platform/metrics';
import type { StateChangeLogger } from './state-change-logger';
import type { ControlRoomStore } from './store';

const SWEEP_EVERY_MS = 2_000;
const SWEEP_MORE_AFTER_MS = 20;

/** Changes the state of Control Rooms that are silent or oversubscribed for too long, while this server grants. */
export class StateSweeper {
  readonly #job: BackgroundJob;
  #more = false;

  constructor(options: {
    readonly region: string;
    readonly role: RoleMonitor;
    readonly store: Pick<ControlRoomStore, 'sweepStates'>;
    readonly changeLogger: StateChangeLogger;
    readonly metrics: Metrics;
    readonly log: Logger;
  }) {
    const { region, role, store, changeLogger, metrics, log } = options;
    this.#job = new BackgroundJob({
      name: 'control_room_states',
      everyMs: () => (this.#more ? SWEEP_MORE_AFTER_MS : SWEEP_EVERY_MS),
      onlyWhileGranting: role,
      step: async (epoch) => {
        this.#more = false;
        const swept = await store.sweepStates({ epoch, region });
        if (swept.kind !== 'done') return;
        const { forgivenSeconds, changes, more } = swept.result;
        if (forgivenSeconds > 0) {
          log.info({ forgivenSeconds }, 'no server had checked the Control Rooms; the gap does not count as silence');
        }
        changeLogger.log(changes);
        this.#more = more;
      },
      failureMessage: 'the states of Control Rooms could not be checked',
      log,
      metrics,
    });
  }

  start(): void {
    void this.#job.start();
  }

  stop(): Promise<void> {
    return this.#job.stop();
  }
}
