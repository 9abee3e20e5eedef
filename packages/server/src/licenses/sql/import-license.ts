import type { ImportOutcome, LicenseImport } from '../core/license-import';

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
