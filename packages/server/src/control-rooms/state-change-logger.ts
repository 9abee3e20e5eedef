import type { Logger } from 'pino';
import type { Metrics } from '../platform/metrics';
import type { Movement } from './ports';

/** Says what became of Control Rooms: each once, and for people once a batch. */
export class MovementReport {
  readonly #log: Logger;
  readonly #metrics: Metrics;
  readonly #server: string;

  constructor({ log, metrics, server }: { log: Logger; metrics: Metrics; server: string }) {
    this.#log = log;
    this.#metrics = metrics;
    this.#server = server;
  }

  tell(movements: readonly Movement[]): void {
    for (const movement of movements) {
      const { to, because } = movement;
      this.#metrics.controlRoomMovements.inc({ to, because });
      this.#log[to === 'active' ? 'info' : 'warn'](
        { audit: 'control_room_moved', ...movement },
        'a Control Room moved',
      );
    }
    for (const to of ['fail_safe', 'suspended', 'active'] as const) {
      const moved = movements.filter((movement) => movement.to === to);
      const [first] = moved;
      if (!first) continue;
      const who = moved.length === 1 ? `Control Room ${first.name} is` : `${moved.length} Control Rooms are`;
      const why = first.because.replaceAll('_', ' ');
      this.#log.info({ announce: `${this.#server}: ${who} ${to.replace('_', '-')} (${why})` });
    }
  }
}
