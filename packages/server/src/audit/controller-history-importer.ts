import type { Logger } from 'pino';
import type { RoleDuty } from '../epochs/role-monitor';
import { DatabaseFailure } from '../platform/database-failure';
import { Loop } from '../platform/loop';
import type { AuditLog, ControllerHistory } from './store';

export interface ControllerHistoryImporterOptions {
  readonly region: string;
  readonly everyMs: number;
  readonly role: RoleDuty;
  readonly audit: Pick<AuditLog, 'newestControllerEntry' | 'addControllerEntries'>;
  readonly history: ControllerHistory;
  readonly log: Logger;
}

const ENTRIES_AT_ONCE = 200;

/**
 * Brings what the failover controller and its operators did from the authority store into the audit log. Every server that
 * grants does: the log takes each entry once. What is lost with a region is brought into the log of the next one again.
 */
export class ControllerHistoryImporter {
  readonly #options: ControllerHistoryImporterOptions;
  readonly #loop: Loop;
  #failing = false;

  constructor(options: ControllerHistoryImporterOptions) {
    this.#options = options;
    this.#loop = new Loop(
      () => this.#step(),
      () => options.everyMs,
    );
  }

  start(): void {
    void this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #step(): Promise<void> {
    const { role, log } = this.#options;
    const verdict = role.verdict();
    if (verdict.kind !== 'granting') return;
    try {
      await this.#bringIn(verdict.epoch);
      this.#failing = false;
    } catch (error) {
      const level = error instanceof DatabaseFailure && error.retryable ? 'warn' : 'error';
      const failure = error instanceof Error ? error.message : error;
      if (!this.#failing) log[level]({ failure }, 'the controller’s history could not be brought into the audit log');
      this.#failing = true;
    }
  }

  async #bringIn(epoch: number): Promise<void> {
    const { region, audit, history } = this.#options;
    const entries = await history.after(await audit.newestControllerEntry(), ENTRIES_AT_ONCE);
    if (entries.length === 0) return;
    const added = await audit.addControllerEntries(entries, { epoch, region });
    // There may be more; after a change of epoch the next round finds out who is asked.
    if (added.kind === 'done') this.#loop.kick();
  }
}
