import type { Logger } from 'pino';
import type { RoleDuty } from '../epochs/role-monitor';
import { DatabaseFailure } from '../platform/database-failure';
import { Loop } from '../platform/loop';
import type { Metrics } from '../platform/metrics';
import type { ExpiryWarning, Licenses } from './ports';

const LOOK_EVERY_MS = 60_000;
/** While this server does not grant: it may begin to. */
const LOOK_AGAIN_MS = 5_000;
const DAY_SECONDS = 86_400;

interface LicenseExpiryOptions {
  readonly region: string;
  readonly role: Pick<RoleDuty, 'verdict'>;
  readonly licenses: Licenses;
  readonly metrics: Pick<Metrics, 'showValidity'>;
  readonly log: Pick<Logger, 'warn' | 'error' | 'debug'>;
}

/**
 * Shows how long licenses are still valid, and warns 30, 7 and 0 days ahead of their end. Every server shows; a warning
 * is told by the one that wrote it down first.
 */
export class LicenseExpiry {
  readonly #options: LicenseExpiryOptions;
  readonly #loop: Loop;
  #warned = false;

  constructor(options: LicenseExpiryOptions) {
    this.#options = options;
    this.#loop = new Loop(
      () => this.look(),
      () => (this.#warned ? LOOK_EVERY_MS : LOOK_AGAIN_MS),
    );
  }

  start(): void {
    void this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async look(): Promise<void> {
    const { region, role, licenses, metrics, log } = this.#options;
    this.#warned = false;
    try {
      metrics.showValidity(
        (await licenses.read()).map(({ licenseId, validSeconds }) => ({
          licenseId,
          validDays: validSeconds === null ? Number.POSITIVE_INFINITY : validSeconds / DAY_SECONDS,
        })),
      );
      const verdict = role.verdict();
      if (verdict.kind !== 'granting') return;
      const claimed = await licenses.claimExpiryWarnings({ epoch: verdict.epoch, region });
      if (claimed.kind !== 'done') return;
      for (const warning of claimed.result) tell(log, warning);
      this.#warned = true;
    } catch (error) {
      const level = error instanceof DatabaseFailure && error.retryable ? 'debug' : 'error';
      log[level]({ failure: error instanceof Error ? error.message : error }, 'licenses could not be looked at');
    }
  }
}

function tell(log: LicenseExpiryOptions['log'], { licenseId, customer, validUntil, days }: ExpiryWarning): void {
  const fields = { licenseId, customer, validUntil, days };
  const whose = `license ${licenseId} of ${customer}`;
  if (days === 0) {
    const announce = `${whose} has expired (${validUntil}): it grants nothing more`;
    log.error({ announce, alert: 'license-expired', ...fields });
  } else {
    const announce = `${whose} expires in less than ${days} days (${validUntil}): import its next issue`;
    log.warn({ announce, alert: 'license-expiring', ...fields });
  }
}
