import { instantMs, type LicenseDocument } from '@evergrant/formats/license/document';
import type { Entitlement } from '../../granting/core/entitlement';

/** The rows of an entitlement that must match the signed document. */
export type SignedRows = Entitlement & {
  /** In hex. */
  readonly licenseKeySha256: string | undefined;
};

/**
 * Returns the first field in which the rows of an entitlement differ from the signed document; undefined when they
 * match. A pool that the document no longer names was withdrawn and must have no seats.
 */
export function integrityMismatch(rows: SignedRows, document: LicenseDocument): string | undefined {
  const signed = document.entitlements.find(
    ({ feature }) => feature === rows.feature && document.product === rows.product,
  );
  const { policy } = document;
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ['license id', rows.licenseId, document.licenseId],
    ['issue', rows.issue, document.issue],
    ['kind', rows.kind, document.kind],
    ['license key', rows.licenseKeySha256, document.licenseKeySha256],
    ['Control Room', rows.controlRoom, document.controlRoom],
    ['servers', rows.servers.join(), (document.servers ?? []).join()],
    ['start of validity', rows.validFromMs, instantMs(document.validFrom)],
    ['end of validity', rows.validUntilMs, instantMs(document.validUntil)],
    ['grace period', rows.policy.graceSeconds, policy.graceSeconds],
    ['time until suspension', rows.policy.suspendAfterSeconds, policy.suspendAfterSeconds],
    ['seats', rows.seats, signed?.seats ?? 0],
    ['overdraft', rows.overdraft, signed?.overdraft ?? 0],
    ['lease TTL', rows.leaseTtlMs, signed ? signed.leaseTtlSeconds * 1000 : rows.leaseTtlMs],
    ['maximum borrow duration', rows.borrowSecondsMax, signed?.borrowSecondsMax ?? rows.borrowSecondsMax],
    ['policy on disconnect', rows.onDisconnect, signed?.onDisconnect ?? rows.onDisconnect],
  ];
  return pairs.find(([, inRows, inDocument]) => inRows !== inDocument)?.[0];
}
