import type { ExpectedEpoch, InEpoch } from '../epochs/store';
import type { ImportAnnouncement, ImportOutcome, LicenseImport } from './core/license-import';

export interface LicenseView {
  readonly licenseId: string;
  readonly issue: number;
  readonly customer: string;
  readonly product: string;
  readonly kind: 'cloud' | 'guid' | 'redundant';
  readonly controlRoom: string | null;
  readonly servers: readonly string[];
  /** ISO 8601; null when the validity has no start, or no end. */
  readonly validFrom: string | null;
  readonly validUntil: string | null;
  /** By the database's clock. */
  readonly validity: 'not_yet_valid' | 'valid' | 'expired';
  /** Seconds until the license expires; negative afterwards, null when it does not expire. */
  readonly validSeconds: number | null;
  readonly policy: { readonly graceSeconds: number; readonly suspendAfterSeconds: number };
  /** Whether Control Rooms can register. */
  readonly hasLicenseKey: boolean;
  /** Null when the license was provisioned before license files existed. */
  readonly importedAt: string | null;
  readonly importedBy: string | null;
  readonly entitlements: readonly EntitlementView[];
}

export interface EntitlementView {
  readonly feature: string;
  readonly seats: number;
  readonly overdraft: number;
  readonly escrow: number;
  readonly leaseTtlSeconds: number;
  readonly borrowSecondsMax: number;
  readonly onDisconnect: 'keep' | 'release';
}

/** A license that expires within `days` days; 0 when it has expired. */
export interface ExpiryWarning {
  readonly licenseId: string;
  readonly customer: string;
  readonly validUntil: string;
  readonly days: number;
}

/** Licenses in the license database. Each call may reject with `DatabaseFailure`. */
export interface LicenseStore {
  /** Announces an import that widens terms, before it comes into force. */
  announce(license: LicenseImport, expected: ExpectedEpoch): Promise<InEpoch<ImportAnnouncement>>;
  import(license: LicenseImport, expected: ExpectedEpoch): Promise<InEpoch<ImportOutcome>>;
  /** Returns one license, or all sorted by id. */
  read(licenseId?: string): Promise<readonly LicenseView[]>;
  /** Claims the warnings that are due. Each warning is returned to one server only, which logs it. */
  claimExpiryWarnings(expected: ExpectedEpoch): Promise<InEpoch<readonly ExpiryWarning[]>>;
  /** The database's clock. */
  nowMs(): Promise<number>;
}
