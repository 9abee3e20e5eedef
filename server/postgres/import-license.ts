import type { LicenseDocument } from '../../license-files/document';

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
  readonly seats: number;
  readonly overdraft: number;
  readonly inUse: number;
  readonly heldBack: number;
  /** By administrators. */
  readonly reserved: number;
}

export type ImportOutcome =
  /** `unchanged`: everything stood there already. */
  | { readonly outcome: 'imported' | 'unchanged' }
  | { readonly outcome: 'license_replayed' | 'license_issue_reused'; readonly issueInForce: number }
  | { readonly outcome: 'license_kind_changed'; readonly kindInForce: string }
  | { readonly outcome: 'license_key_in_use' }
  | { readonly outcome: 'license_shrinks_below_use'; readonly pools: readonly ShrunkPool[] };

/** What of `pg`'s clients is needed: the migration command has another one than the servers. */
interface Queryable {
  query(text: string, values: unknown[]): Promise<{ rows: unknown[] }>;
}

/** Makes the rows say what the document says, in the caller's transaction; or changes nothing and says why. */
export async function importLicense(client: Queryable, license: LicenseImport): Promise<ImportOutcome> {
  const { document, file, importedBy } = license;
  const { rows } = await client.query('select evergrant_import_license($1, $2, $3) as outcome', [
    JSON.stringify(document),
    file,
    importedBy,
  ]);
  return (rows[0] as { outcome: ImportOutcome }).outcome;
}
