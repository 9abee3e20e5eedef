import { type AlertContent, appendAlert } from './core/alerting';
import type { ControlRecord } from './core/control-record';
import type { HistoryEntry } from './core/history';
import type { Ports } from './ports';

/**
 * The pending changes of one cycle. They take effect when they are written. Of two transactions on the same version the
 * store accepts one, and the other cycle ends without an effect.
 */
export class ControlTransaction {
  readonly #ports: Pick<Ports, 'control' | 'alerts' | 'clock'>;
  readonly #version: number;
  readonly #history: HistoryEntry[] = [];
  readonly #raisedIds = new Set<string>();
  #record: ControlRecord;

  constructor(
    ports: Pick<Ports, 'control' | 'alerts' | 'clock'>,
    { version, record }: { version: number; record: ControlRecord },
  ) {
    this.#ports = ports;
    this.#version = version;
    this.#record = record;
  }

  get record(): ControlRecord {
    return this.#record;
  }

  update(change: Partial<ControlRecord>): void {
    this.#record = { ...this.#record, ...change };
  }

  addHistory(...entries: readonly HistoryEntry[]): void {
    this.#history.push(...entries);
  }

  addAlert(content: AlertContent): void {
    const { clock } = this.#ports;
    const id = clock.newId();
    const { record, entry } = appendAlert(this.#record, content, { id, nowMs: clock.nowMs() });
    this.#record = record;
    this.#raisedIds.add(id);
    this.addHistory(entry);
  }

  /** Writes record and history together. `conflict`: another controller wrote first, and no effect may follow. */
  write(): Promise<'written' | 'conflict'> {
    return this.#ports.control.write({ version: this.#version, record: this.#record, history: this.#history });
  }

  /**
   * Sends this cycle's alerts, and older ones whose controller has probably died, because they are unsent for
   * `resendAfterMs`. If the removal of the sent alerts conflicts with another writer, they are sent again with the same id.
   */
  async sendAlerts(resendAfterMs: number): Promise<void> {
    const { alerts, clock, control } = this.#ports;
    const nowMs = clock.nowMs();
    const due = this.#record.unsentAlerts.filter(
      ({ id, raisedAtMs }) => this.#raisedIds.has(id) || nowMs - raisedAtMs >= resendAfterMs,
    );
    if (due.length === 0) return;
    for (const alert of due) await alerts.send(alert);
    const unsentAlerts = this.#record.unsentAlerts.filter((alert) => !due.includes(alert));
    await control.write({
      version: this.#version + 1,
      record: { ...this.#record, unsentAlerts },
      history: [],
    });
  }
}
