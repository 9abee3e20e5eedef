import type { ImportAnnouncement, ImportOutcome, LicenseImport } from '../core/license-import';

/** The part of `pg` that both the servers' pool clients and the migration command's client have. */
interface Queryable {
  query(text: string, values: unknown[]): Promise<{ rows: unknown[] }>;
}

/** Writes the document to the rows in the caller's transaction, or changes nothing and returns the refusal. */
export async function importLicense(client: Queryable, license: LicenseImport): Promise<ImportOutcome> {
  const { document, file, importedBy } = license;
  const { rows } = await client.query('select evergrant_import_license($1, $2, $3) as outcome', [
    JSON.stringify(document),
    file,
    importedBy,
  ]);
  return (rows[0] as { outcome: ImportOutcome }).outcome;
}

/** Announces the import if it widens terms. */
export async function announceImport(
  client: Queryable,
  { document, file, importedBy }: LicenseImport,
  { unprotected }: { readonly unprotected: boolean },
): Promise<ImportAnnouncement> {
  const signed = JSON.stringify(document);
  const { rows } = await client.query('select evergrant_widened_terms($1) as widened', [signed]);
  const { widened } = rows[0] as { widened: string[] };
  if (widened.length === 0) return { kind: 'not_needed' };
  if (unprotected) return { kind: 'unprotected', widened };
  await client.query('select evergrant_announce_import($1, $2, $3)', [signed, file, importedBy]);
  return { kind: 'announced' };
}
