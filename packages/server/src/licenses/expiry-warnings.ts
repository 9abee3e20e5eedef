import type { Logger } from 'pino';
import type { RoleMonitor } from '../epochs/role-monitor';
import { BackgroundJob } from '../platform/background-job';
import type { Metrics } from '../platform/metrics';
import type { ExpiryWarning, LicenseStore } from './store';

const CHECK_EVERY_MS = 60_000;
/** While this server does not grant, it checks more often, because it may start to grant at any moment. */
const RETRY_EVERY_MS = 5_000;
const DAY_SECONDS = 86_400;

interface ExpiryWarningsOptions {
  readonly region: string;
  readonly role: Pick<RoleMonitor, 'verdict'>;
  readonly store: Pick<LicenseStore, 'read' | 'claimExpiryWarnings'>;
  readonly metrics: Pick<Metrics, 'showValidity' | 'jobFailures'>;
  readonly log: Pick<Logger, 'warn' | 'error' | 'info' | 'debug'>;
}

/**
 * Exports the remaining validity of licenses as a metric, and warns 30, 7 and 0 days before they expire. Every server
 * exports the metric. A warning is logged only by the server that claims it.
 */
export class ExpiryWarnings {
  readonly #options: ExpiryWarningsOptions;
  readonly #job: BackgroundJob;
  #isChecked = false;

  constructor(options: ExpiryWarningsOptions) {
    this.#options = options;
    const { log, metrics } = options;
    this.#job = new BackgroundJob({
      name: 'license_expiry',
      everyMs: () => (this.#isChecked ? CHECK_EVERY_MS : RETRY_EVERY_MS),
      step: () => this.check(),
      failureMessage: 'the validity of licenses could not be checked',
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

  async check(): Promise<void> {
    const { region, role, store, metrics, log } = this.#options;
    this.#isChecked = false;
    metrics.showValidity(
      (await store.read()).map(({ licenseId, validSeconds }) => ({
        licenseId,
        validDays: validSeconds === null ? Number.POSITIVE_INFINITY : validSeconds / DAY_SECONDS,
      })),
    );
    const verdict = role.verdict();
    if (verdict.kind !== 'granting') return;
    const claimed = await store.claimExpiryWarnings({ epoch: verdict.epoch, region });
    if (claimed.kind !== 'done') return;
    for (const warning of claimed.result) logWarning(log, warning);
    this.#isChecked = true;
  }
}

function logWarning(log: ExpiryWarningsOptions['log'], warning: ExpiryWarning): void {
  const { licenseId, customer, validUntil, days } = warning;
  const fields = { licenseId, customer, validUntil, days };
  const license = `license ${licenseId} of ${customer}`;
  if (days === 0) {
    const announce = `${license} expired at ${validUntil}; it grants nothing more. Import its next issue`;
    log.error({ announce, alert: 'license-expired', ...fields });
  } else {
    const announce = `${license} expires in less than ${days} days (${validUntil}); import its next issue`;
    log.warn({ announce, alert: 'license-expiring', ...fields });
  }
}
