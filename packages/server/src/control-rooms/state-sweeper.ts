import type { Logger } from 'pino';
import type { RoleDuty } from '../epochs/role-monitor';
import { DatabaseFailure } from '../platform/database-failure';
import { Loop } from '../platform/loop';
import type { StateChangeLogger } from './state-change-logger';
import type { ControlRoomStore } from './store';

const SWEEP_EVERY_MS = 2_000;
const SWEEP_MORE_AFTER_MS = 20;

/** Changes the state of Control Rooms that are silent or oversubscribed for too long, while this server grants. */
export class StateSweeper {
  readonly #loop: Loop;
  #more = false;

  constructor(options: {
    readonly region: string;
    readonly role: RoleDuty;
    readonly store: Pick<ControlRoomStore, 'sweepStates'>;
    readonly changeLogger: StateChangeLogger;
    readonly log: Logger;
  }) {
    const { region, role, store, changeLogger, log } = options;
    this.#loop = new Loop(
      async () => {
        this.#more = false;
        const verdict = role.verdict();
        if (verdict.kind !== 'granting') return;
        try {
          const swept = await store.sweepStates({ epoch: verdict.epoch, region });
          if (swept.kind !== 'done') return;
          const { forgivenSeconds, changes, more } = swept.result;
          if (forgivenSeconds > 0) {
            log.info({ forgivenSeconds }, 'no server had checked the Control Rooms; the gap does not count as silence');
          }
          changeLogger.log(changes);
          this.#more = more;
        } catch (error) {
          const level = error instanceof DatabaseFailure && error.retryable ? 'debug' : 'error';
          log[level](
            { failure: error instanceof Error ? error.message : error },
            'the states of Control Rooms could not be checked',
          );
        }
      },
      () => (this.#more ? SWEEP_MORE_AFTER_MS : SWEEP_EVERY_MS),
    );
  }

  start(): void {
    void this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }
}
