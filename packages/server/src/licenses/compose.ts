import type { Logger } from 'pino';
import type { Licensing } from '../config/licensing';
import type { AcknowledgementGate } from '../epochs/acknowledgement-gate';
import type { EpochTransactions } from '../epochs/epoch-transactions';
import type { RoleMonitor } from '../epochs/role-monitor';
import type { Metrics } from '../platform/metrics';
import { ExpiryWarnings } from './expiry-warnings';
import { LicenseImportService } from './import-service';
import { type IntegrityChecks, SignedFileIntegrityChecks } from './integrity-checks';
import type { LicenseStore } from './store';

/** The services and background jobs for licenses. */
export interface LicenseServices {
  readonly imports: LicenseImportService;
  readonly integrityChecks: IntegrityChecks;
  start(): void;
  stop(): Promise<void>;
}

export function createLicenses(options: {
  readonly region: string;
  readonly server: string;
  readonly licensing: Licensing;
  readonly store: LicenseStore;
  readonly role: RoleMonitor;
  readonly transactions: EpochTransactions;
  readonly gate: AcknowledgementGate;
  readonly metrics: Metrics;
  readonly log: Logger;
}): LicenseServices {
  const expiryWarnings = new ExpiryWarnings(options);
  return {
    imports: new LicenseImportService(options),
    integrityChecks: new SignedFileIntegrityChecks(options),
    start: () => expiryWarnings.start(),
    stop: () => expiryWarnings.stop(),
  };
}
