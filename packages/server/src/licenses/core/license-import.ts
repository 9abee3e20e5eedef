import type { LicenseDocument } from '@evergrant/formats/license/document';

/** A license that was verified, and who brings it. */
export interface LicenseImport {
  readonly document: LicenseDocument;
  /** The signed file, as it is to be kept. */
  readonly file: string;
  readonly importedBy: string;
}

export interface ShrunkPool {
  readonly product: string;
  readonly feature: string;
  /** What the file would leave. */
  readonly seats: number;
  readonly overdraft: number;
  readonly inUse: number;
  readonly heldBack: number;
  /** By administrators. */
  readonly reserved: number;
}

export type ImportRefusal =
  | { readonly outcome: 'license_replayed' | 'license_issue_reused'; readonly issueInForce: number }
  | { readonly outcome: 'license_kind_changed'; readonly kindInForce: string }
  | { readonly outcome: 'license_key_in_use' }
  | { readonly outcome: 'license_shrinks_below_use'; readonly pools: readonly ShrunkPool[] };

/** `unchanged`: everything stood there already. */
export type ImportDone = { readonly outcome: 'imported' } | { readonly outcome: 'unchanged' };

export type ImportOutcome = ImportDone | ImportRefusal;

/** What it means and what to do, for the person who has the file in hand. */
export function importRefusalInWords(refusal: ImportRefusal, { licenseId, issue, kind }: LicenseDocument): string {
  switch (refusal.outcome) {
    case 'license_replayed':
      return `issue ${refusal.issueInForce} of license ${licenseId} is in force; this file is its earlier issue ${issue}. Use the newest file that the vendor sent`;
    case 'license_issue_reused':
      return `issue ${issue} of license ${licenseId} is in force and says something else; the vendor issues this document under a higher number`;
    case 'license_kind_changed':
      return `license ${licenseId} is of kind ${refusal.kindInForce} and cannot become ${kind}; the vendor issues a new license, under another licenseId`;
    case 'license_key_in_use':
      return `another license has the license key of license ${licenseId}; the vendor issues it with a key of its own`;
    case 'license_shrinks_below_use':
      return `it takes away what is needed: ${refusal.pools.map(shrunkInWords).join('; ')}`;
  }
}

function shrunkInWords({ product, feature, seats, overdraft, inUse, heldBack, reserved }: ShrunkPool): string {
  const left = overdraft > 0 ? `${seats} seats and ${overdraft} of overdraft` : `${seats} seats`;
  const needed = [`${inUse} in use`];
  if (heldBack > 0) needed.push(`${heldBack} held back for grants of a lost region`);
  if (reserved > 0) needed.push(`${reserved} reserved by an administrator`);
  const surplus = inUse + heldBack - seats - overdraft;
  const todo =
    surplus > 0
      ? `have ${surplus} released, or wait until they lapse`
      : 'lower the reservations (PUT /v1/reservations)';
  return `${product}/${feature} would have ${left} and has ${needed.join(', ')}: ${todo}, then import again`;
}
