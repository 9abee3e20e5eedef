import type { Logger } from 'pino';
import type { RoleDuty } from '../epochs/role-monitor';
import { DatabaseFailure } from '../platform/database-failure';
import { Loop } from '../platform/loop';
import type { Registry } from './ports';
import type { MovementReport } from './state-change-logger';

const WATCH_EVERY_MS = 2_000;
const WATCH_MORE_AFTER_MS = 20;

/** Moves Control Rooms that fell silent, or hold too much for too long, and back; only while this server grants. */
export class ControlRoomWatch {
  readonly #loop: Loop;
  #more = false;

  constructor(options: {
    readonly region: string;
    readonly role: RoleDuty;
    readonly registry: Pick<Registry, 'watch'>;
    readonly report: MovementReport;
    readonly log: Logger;
  }) {
    const { region, role, registry, report, log } = options;
    this.#loop = new Loop(
      async () => {
        this.#more = false;
        const verdict = role.verdict();
        if (verdict.kind !== 'granting') return;
        try {
          const watched = await registry.watch({ epoch: verdict.epoch, region });
          if (watched.kind !== 'done') return;
          const { forgivenSeconds, movements, more } = watched.result;
          if (forgivenSeconds > 0)
            log.info({ forgivenSeconds }, 'nobody had watched over the Control Rooms: not their silence');
          report.tell(movements);
          this.#more = more;
        } catch (error) {
          const level = error instanceof DatabaseFailure && error.retryable ? 'debug' : 'error';
          log[level]({ failure: error instanceof Error ? error.message : error }, 'the Control Rooms were not watched');
        }
      },
      () => (this.#more ? WATCH_MORE_AFTER_MS : WATCH_EVERY_MS),
    );
  }

  start(): void {
    void this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }
}
