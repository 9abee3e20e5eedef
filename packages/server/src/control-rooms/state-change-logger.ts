import type { Logger } from 'pino';
import type { Metrics } from '../platform/metrics';
import type { StateChange } from './store';

/** Logs every state change of a Control Room, and announces each batch of them once per state. */
export class StateChangeLogger {
  readonly #log: Logger;
  readonly #metrics: Metrics;
  readonly #server: string;

  constructor({ log, metrics, server }: { log: Logger; metrics: Metrics; server: string }) {
    this.#log = log;
    this.#metrics = metrics;
    this.#server = server;
  }

  log(changes: readonly StateChange[]): void {
    for (const change of changes) {
      const { to, reason } = change;
      this.#metrics.controlRoomMovements.inc({ to, because: reason });
      const level = to === 'active' ? 'info' : 'warn';
      this.#log[level]({ audit: 'control_room_moved', ...change }, 'the state of a Control Room changed');
    }
    for (const to of ['fail_safe', 'suspended', 'active'] as const) this.#announce(changes, to);
  }

  #announce(changes: readonly StateChange[], to: StateChange['to']): void {
    const changed = changes.filter((change) => change.to === to);
    const [first] = changed;
    if (!first) return;
    const rooms = changed.length === 1 ? `Control Room ${first.name} is` : `${changed.length} Control Rooms are`;
    const reason = first.reason.replaceAll('_', ' ');
    this.#log.info({ announce: `${this.#server}: ${rooms} ${to.replace('_', '-')} (${reason})` });
  }
}
