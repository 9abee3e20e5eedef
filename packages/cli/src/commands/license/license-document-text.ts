import { table } from '@evergrant/core/text-table';
import type { LicenseDocument, LicenseEntitlement } from '@evergrant/formats/license/document';

/** Formats a license document for people. */
export function documentLines(document: LicenseDocument): string[] {
  const { licenseId, issue, customer, product, kind, validFrom, validUntil, policy } = document;
  const whose = document.controlRoom ?? document.servers?.join(', ');
  return [
    table([
      ['license', `${licenseId}, issue ${issue}`],
      ['customer', customer],
      ['product', product],
      ['kind', whose === undefined ? kind : `${kind}: ${whose}`],
      ['valid', `${validFrom} until ${validUntil}`],
      ['without a server', `${policy.graceSeconds} s of grace, suspended after ${policy.suspendAfterSeconds} s`],
      ['license key', document.licenseKeySha256 === undefined ? 'none' : 'yes (the file holds its hash)'],
    ]),
    '',
    table([['feature', 'seats', 'overdraft', 'lease', 'borrow', 'reserved'], ...document.entitlements.map(row)]),
    '',
  ];
}

function row(entitlement: LicenseEntitlement): string[] {
  const { feature, seats, overdraft, leaseTtlSeconds, borrowSecondsMax, reservations } = entitlement;
  return [
    feature,
    String(seats),
    overdraft > 0 ? `+${overdraft}` : '-',
    `${leaseTtlSeconds} s`,
    borrowSecondsMax > 0 ? `${borrowSecondsMax} s` : '-',
    reservations.map((each) => `${each.seats} for ${each.controlRoom ?? each.group}`).join(', ') || '-',
  ];
}
