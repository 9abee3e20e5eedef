import { type Message, raise } from './core/alerting';
import type { ControlRecord } from './core/control-record';
import type { HistoryEntry } from './core/history';
import type { Ports } from './ports';

/**
 * What one cycle is about to remember. Nothing has happened until it is written; of two drafts of one version the
 * store takes one, and the other cycle ends without acting.
 */
export class Draft {
  record: ControlRecord;
  private readonly version: number;
  private readonly history: HistoryEntry[] = [];
  private readonly raised: string[] = [];
  private readonly ports: Ports;

  constructor(ports: Ports, read: { version: number; record: ControlRecord }) {
    this.ports = ports;
    this.version = read.version;
    this.record = read.record;
  }

  change(change: Partial<ControlRecord>): void {
    this.record = { ...this.record, ...change };
  }

  note(...entries: readonly HistoryEntry[]): void {
    this.history.push(...entries);
  }

  alert(message: Message): void {
    const id = this.ports.clock.newId();
    const { record, entry } = raise(this.record, message, { id, nowMs: this.ports.clock.nowMs() });
    this.record = record;
    this.raised.push(id);
    this.note(entry);
  }

  /** Writes record and history in one. `conflict`: another controller was faster, and nothing may be done. */
  write(): Promise<'written' | 'conflict'> {
    return this.ports.control.write({ version: this.version, record: this.record, history: this.history });
  }

  /**
   * Sends this cycle's alerts, and those that another cycle raised and has not struck off for so long that it must
   * have died. Striking them off may lose to another writer: then they are sent a second time, under the same id.
   */
  async sendAlerts(resendAfterMs: number): Promise<void> {
    const nowMs = this.ports.clock.nowMs();
    const due = this.record.unsentAlerts.filter(
      ({ id, raisedAtMs }) => this.raised.includes(id) || nowMs - raisedAtMs >= resendAfterMs,
    );
    if (due.length === 0) return;
    for (const alert of due) await this.ports.alerts.send(alert);
    const unsentAlerts = this.record.unsentAlerts.filter((alert) => !due.includes(alert));
    await this.ports.control.write({
      version: this.version + 1,
      record: { ...this.record, unsentAlerts },
      history: [],
    });
  }
}
