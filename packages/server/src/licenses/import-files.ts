import { readFileSync } from 'node:fs';
import type { RefusalCode } from '@evergrant/formats/license/refusal-codes';
import { verifyLicense } from '@evergrant/formats/license/verify';
import type { Client } from 'pg';
import type { MigrationEnvironment } from '../config/migration-environment';
import { type ImportRefusal, importRefusalText } from './core/license-import';
import { importLicense } from './sql/import-license';

const IMPORTER = 'migration command';

/** The result for one file. */
export interface ImportedFile {
  readonly file: string;
  readonly licenseId: string | null;
  readonly issue: number | null;
  readonly outcome: 'imported' | 'unchanged' | 'skipped';
  readonly reason?: string;
}

/** Reports the errors of all license files at once. */
export class LicenseFilesError extends Error {
  readonly code = 'license_files';
  readonly retryable = false;

  constructor(errors: readonly string[]) {
    super(`the license files cannot be imported:\n${errors.map((error) => `  - ${error}`).join('\n')}`);
  }
}

/**
 * Every deployment imports its configured files again. By then a file may have expired, or a newer issue may have been
 * imported by hand. Such a file is skipped.
 */
const SKIPPED: readonly (RefusalCode | ImportRefusal['outcome'])[] = [
  'license_replayed',
  'license_expired',
  'license_key_expired',
];

interface RefusedFile {
  readonly code: RefusalCode | ImportRefusal['outcome'];
  readonly detail: string;
  readonly licenseId: string | null;
  readonly issue: number | null;
}

/** Verifies and imports each file, in order. @throws LicenseFilesError; files without an error stay imported. */
export async function importLicenseFiles(
  client: Client,
  { licenseFiles, licensing }: Pick<MigrationEnvironment, 'licenseFiles' | 'licensing'>,
): Promise<ImportedFile[]> {
  const imported: ImportedFile[] = [];
  const errors: string[] = [];
  for (const file of licenseFiles) {
    const result = await importFile(client, file, licensing);
    if ('outcome' in result) imported.push(result);
    else if (SKIPPED.includes(result.code)) {
      const { licenseId, issue, detail } = result;
      imported.push({ file, licenseId, issue, outcome: 'skipped', reason: detail });
    } else errors.push(`${file}: ${result.code}: ${result.detail}`);
  }
  if (errors.length > 0) throw new LicenseFilesError(errors);
  return imported;
}

async function importFile(
  client: Client,
  file: string,
  { trust, deploymentKeys }: MigrationEnvironment['licensing'],
): Promise<ImportedFile | RefusedFile> {
  const verdict = await verifyLicense(contentOf(file), { trust, deploymentKeys, nowMs: await databaseTime(client) });
  if (verdict.kind === 'refused') return { ...verdict, licenseId: null, issue: null };
  const { document } = verdict;
  const { licenseId, issue } = document;
  const outcome = await importLicense(client, { document, file: verdict.file, importedBy: IMPORTER });
  if (outcome.outcome === 'imported' || outcome.outcome === 'unchanged') {
    return { file, licenseId, issue, outcome: outcome.outcome };
  }
  return { code: outcome.outcome, detail: importRefusalText(outcome, document), licenseId, issue };
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new LicenseFilesError([`${file} cannot be read (${(cause as NodeJS.ErrnoException).code})`]);
  }
}

/** The database's clock decides what has expired. */
async function databaseTime(client: Client): Promise<number> {
  const { rows } = await client.query<{ now: Date }>('select clock_timestamp() as now');
  return rows[0]?.now.getTime() ?? Number.NaN;
}
