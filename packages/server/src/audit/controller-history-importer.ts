import type { Logger } from 'pino';
import type { RoleMonitor } from '../epochs/role-monitor';
import { BackgroundJob } from '../platform/background-job';
import type { Metrics } from '../platform/metrics';
import type { AuditLog, ControllerHistory } from './store';

export interface ControllerHistoryImporterOptions {
  readonly region: string;
  readonly everyMs: number;
  readonly role: RoleMonitor;
  readonly audit: Pick<AuditLog, 'newestControllerEntry' | 'addControllerEntries'>;
  readonly history: ControllerHistory;
  readonly metrics: Metrics;
  readonly log: Logger;
}

const BATCH_SIZE = 200;

/**
 * Imports the history of the failover controller and its operators from the authority store into the audit log. Every
 * granting server does so, and the log stores each entry once. Entries that are lost with a region are imported again into
 * the log of the next active region.
 */
export class ControllerHistoryImporter {
  readonly #options: ControllerHistoryImporterOptions;
  readonly #job: BackgroundJob;

  constructor(options: ControllerHistoryImporterOptions) {
    this.#options = options;
    const { role, everyMs, log, metrics } = options;
    this.#job = new BackgroundJob({
      name: 'controller_history',
      everyMs,
      onlyWhileGranting: role,
      step: (epoch) => this.#import(epoch),
      failureMessage: "the controller's history could not be imported into the audit log",
      retryableLevel: 'warn',
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

  async #import(epoch: number): Promise<void> {
    const { region, audit, history } = this.#options;
    const entries = await history.after(await audit.newestControllerEntry(), BATCH_SIZE);
    if (entries.length === 0) return;
    const added = await audit.addControllerEntries(entries, { epoch, region });
    // There may be more entries. If the epoch has changed, the next run checks the role again.
    if (added.kind === 'done') this.#job.kick();
  }
}
