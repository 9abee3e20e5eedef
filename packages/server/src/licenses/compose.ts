import type { Logger } from 'pino';
import type { Licensing } from '../config/licensing';
import type { EpochWork } from '../epochs/epoch-transactions';
import type { RoleDuty } from '../epochs/role-monitor';
import type { Metrics } from '../platform/metrics';
import { LicenseExpiry } from './expiry-warnings';
import { LicenseDesk } from './import-service';
import { type LicenseProofs, SignedLicenseProofs } from './integrity-checks';
import type { Licenses as LicensesPort } from './ports';

/** All that a server does about licenses, wired. */
export interface Licenses {
  readonly desk: LicenseDesk;
  readonly proofs: LicenseProofs;
  start(): void;
  stop(): Promise<void>;
}

export function createLicenses(options: {
  readonly region: string;
  readonly server: string;
  readonly licensing: Licensing;
  readonly licenses: LicensesPort;
  readonly role: RoleDuty;
  readonly work: EpochWork;
  readonly metrics: Metrics;
  readonly log: Logger;
}): Licenses {
  const expiry = new LicenseExpiry(options);
  return {
    desk: new LicenseDesk(options),
    proofs: new SignedLicenseProofs(options),
    start: () => expiry.start(),
    stop: () => expiry.stop(),
  };
}
