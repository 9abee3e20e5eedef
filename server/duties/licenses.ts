import type { Logger } from 'pino';
import type { Licensing } from '../environment-licensing';
import type { Licenses as LicensesPort } from '../license-ports';
import type { EpochWork } from './epoch-work';
import { LicenseDesk } from './license-desk';
import { LicenseExpiry } from './license-expiry';
import { type LicenseProofs, SignedLicenseProofs } from './license-proofs';
import type { Metrics } from './metrics';
import type { RoleDuty } from './role';

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
