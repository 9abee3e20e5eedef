/**
 * Licenses as the duties need them. Like every port: expected outcomes are return values, and a call may reject with
 * `DatabaseFailure`.
 */

import type { ExpectedEpoch, InEpoch } from '../epochs/store';
import type { ImportOutcome, LicenseImport } from './core/license-import';

export interface LicenseView {
  readonly licenseId: string;
  readonly issue: number;
  readonly customer: string;
  readonly product: string;
  readonly kind: 'cloud' | 'guid' | 'redundant';
  readonly controlRoom: string | null;
  readonly servers: readonly string[];
  /** ISO 8601; null: without a beginning, or without an end. */
  readonly validFrom: string | null;
  readonly validUntil: string | null;
  /** By the database's clock. */
  readonly validity: 'not_yet_valid' | 'valid' | 'expired';
  /** Until the end of validity; negative after it, null when there is none. */
  readonly validSeconds: number | null;
  readonly policy: { readonly graceSeconds: number; readonly suspendAfterSeconds: number };
  /** Whether Control Rooms can register. */
  readonly hasLicenseKey: boolean;
  /** Null: provisioned before there were license files. */
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

/** The end of a license has come as near as this. */
export interface ExpiryWarning {
  readonly licenseId: string;
  readonly customer: string;
  readonly validUntil: string;
  readonly days: number;
}

export interface Licenses {
  import(license: LicenseImport, expected: ExpectedEpoch): Promise<InEpoch<ImportOutcome>>;
  /** One license, or all in the order of their ids. */
  read(licenseId?: string): Promise<readonly LicenseView[]>;
  /** Warnings that are due and that nobody has told yet; whoever gets them tells them. */
  claimExpiryWarnings(expected: ExpectedEpoch): Promise<InEpoch<readonly ExpiryWarning[]>>;
  /** The database's clock. */
  nowMs(): Promise<number>;
}
