import type { LicenseDocument } from '@evergrant/formats/license/document';

/** A verified license file to import. */
export interface LicenseImport {
  readonly document: LicenseDocument;
  /** The signed file as the database stores it. */
  readonly file: string;
  readonly importedBy: string;
}

export interface ShrunkPool {
  readonly product: string;
  readonly feature: string;
  /** Seats and overdraft after the import. */
  readonly seats: number;
  readonly overdraft: number;
  readonly inUse: number;
  readonly heldBack: number;
  /** Seats that administrators reserved. */
  readonly reserved: number;
}

export type ImportRefusal =
  | { readonly outcome: 'license_replayed' | 'license_issue_reused'; readonly issueInForce: number }
  | { readonly outcome: 'license_kind_changed'; readonly kindInForce: string }
  | { readonly outcome: 'license_key_in_use' }
  | { readonly outcome: 'license_shrinks_below_use'; readonly pools: readonly ShrunkPool[] };

/** A borrowed lease that lasts longer than its license. */
export interface OutlastingBorrow {
  readonly leaseId: string;
  readonly feature: string;
  readonly holder: string;
  readonly seats: number;
  readonly expiresAt: string;
}

interface ImportEffects {
  /** Leases that now end earlier, with their license. */
  readonly leasesCut: number;
  /** Borrowed leases keep their end. At most 1000 are named. */
  readonly borrowedBeyond: readonly OutlastingBorrow[];
}

/** `unchanged` means that this issue was in force already. */
export type ImportSuccess =
  | ({ readonly outcome: 'imported' } & ImportEffects)
  | ({ readonly outcome: 'unchanged' } & ImportEffects);

/**
 * - `not_needed`: the import widens no term.
 * - `announced`: when the follower has the announcement, the import may come into force.
 * - `unprotected`: the import widens terms, and there is no follower to receive them.
 */
export type ImportAnnouncement =
  | { readonly kind: 'not_needed' | 'announced' }
  | { readonly kind: 'unprotected'; readonly widened: readonly string[] };

export type ImportOutcome = ImportSuccess | ImportRefusal;

/** Explains a refusal to the person who imports the file, and what to do. */
export function importRefusalText(refusal: ImportRefusal, { licenseId, issue, kind }: LicenseDocument): string {
  switch (refusal.outcome) {
    case 'license_replayed':
      return `issue ${refusal.issueInForce} of license ${licenseId} is in force, and this file is the earlier issue ${issue}. Import the newest file from the vendor`;
    case 'license_issue_reused':
      return `issue ${issue} of license ${licenseId} is in force with different content. Ask the vendor to issue this document under a higher number`;
    case 'license_kind_changed':
      return `license ${licenseId} is of kind ${refusal.kindInForce} and cannot become ${kind}. Ask the vendor for a new license with another licenseId`;
    case 'license_key_in_use':
      return `another license uses the license key of license ${licenseId}. Ask the vendor to issue it with a different key`;
    case 'license_shrinks_below_use':
      return `the license shrinks below its use: ${refusal.pools.map(shrunkPoolText).join('; ')}`;
  }
}

function shrunkPoolText({ product, feature, seats, overdraft, inUse, heldBack, reserved }: ShrunkPool): string {
  const left = overdraft > 0 ? `${seats} seats and ${overdraft} of overdraft` : `${seats} seats`;
  const needed = [`${inUse} in use`];
  if (heldBack > 0) needed.push(`${heldBack} held back for grants of a lost region`);
  if (reserved > 0) needed.push(`${reserved} reserved by an administrator`);
  const surplus = inUse + heldBack - seats - overdraft;
  const remedy =
    surplus > 0 ? `release ${surplus}, or wait until they expire` : 'lower the reservations (PUT /v1/reservations)';
  return `${product}/${feature} would have ${left}; needed are ${needed.join(', ')}: ${remedy}, then import again`;
}
