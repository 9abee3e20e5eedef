import { instantMs, type LicenseDocument } from '@evergrant/formats/license/document';
import type { Entitlement } from '../../granting/core/entitlement';

/** What of the rows must be what the vendor signed. */
export type ProvenRows = Entitlement & {
  /** In hex. */
  readonly licenseKeySha256: string | undefined;
};

/**
 * The first thing in which the rows of an entitlement differ from the signed document; undefined when they say the
 * same. A pool that the document does not name any more was withdrawn: it has no seats.
 */
export function proofMismatch(rows: ProvenRows, document: LicenseDocument): string | undefined {
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
    ['beginning', rows.validFromMs, instantMs(document.validFrom)],
    ['end', rows.validUntilMs, instantMs(document.validUntil)],
    ['grace', rows.policy.graceSeconds, policy.graceSeconds],
    ['time until suspension', rows.policy.suspendAfterSeconds, policy.suspendAfterSeconds],
    ['seats', rows.seats, signed?.seats ?? 0],
    ['overdraft', rows.overdraft, signed?.overdraft ?? 0],
    ['lease TTL', rows.leaseTtlMs, signed ? signed.leaseTtlSeconds * 1000 : rows.leaseTtlMs],
    ['time of borrowing', rows.borrowSecondsMax, signed?.borrowSecondsMax ?? rows.borrowSecondsMax],
    ['policy on disconnect', rows.onDisconnect, signed?.onDisconnect ?? rows.onDisconnect],
  ];
  return pairs.find(([, inRows, inDocument]) => inRows !== inDocument)?.[0];
}
