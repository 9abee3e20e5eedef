import { readFileSync } from 'node:fs';
import type { RefusalCode } from '@evergrant/formats/license/refusal-codes';
import { verifyLicense } from '@evergrant/formats/license/verify';
import type { Client } from 'pg';
import type { MigrationEnvironment } from '../config/environment';
import { type ImportRefusal, importRefusalInWords } from './core/license-import';
import { importLicense } from './sql/import-license';

const IMPORTER = 'migration command';

/** What became of one file. */
export interface ImportedFile {
  readonly file: string;
  readonly licenseId: string | null;
  readonly issue: number | null;
  readonly outcome: 'imported' | 'unchanged' | 'skipped';
  readonly because?: string;
}

/** What is wrong with the license files, all of them at once. */
export class LicenseFilesError extends Error {
  readonly code = 'license_files';
  readonly retryable = false;

  constructor(mistakes: readonly string[]) {
    super(`the license files are not usable:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}`);
  }
}

/**
 * A deployment brings its files again and again, long after newer ones were imported by hand, or they have run out:
 * that is no mistake.
 */
const OVERTAKEN: readonly (RefusalCode | ImportRefusal['outcome'])[] = [
  'license_replayed',
  'license_expired',
  'license_key_expired',
];

interface Refused {
  readonly code: RefusalCode | ImportRefusal['outcome'];
  readonly detail: string;
  readonly licenseId: string | null;
  readonly issue: number | null;
}

/** Verifies and imports each file, in order. @throws LicenseFilesError; the files before stay imported. */
export async function importLicenseFiles(
  client: Client,
  { licenseFiles, licensing }: Pick<MigrationEnvironment, 'licenseFiles' | 'licensing'>,
): Promise<ImportedFile[]> {
  const imported: ImportedFile[] = [];
  const mistakes: string[] = [];
  for (const file of licenseFiles) {
    const result = await importFile(client, file, licensing);
    if ('outcome' in result) imported.push(result);
    else if (OVERTAKEN.includes(result.code)) {
      const { licenseId, issue, detail } = result;
      imported.push({ file, licenseId, issue, outcome: 'skipped', because: detail });
    } else mistakes.push(`${file}: ${result.code}: ${result.detail}`);
  }
  if (mistakes.length > 0) throw new LicenseFilesError(mistakes);
  return imported;
}

async function importFile(
  client: Client,
  file: string,
  { trust, deploymentKeys }: MigrationEnvironment['licensing'],
): Promise<ImportedFile | Refused> {
  const verdict = await verifyLicense(contentOf(file), { trust, deploymentKeys, nowMs: await databaseTime(client) });
  if (verdict.kind === 'refused') return { ...verdict, licenseId: null, issue: null };
  const { document } = verdict;
  const { licenseId, issue } = document;
  const outcome = await importLicense(client, { document, file: verdict.file, importedBy: IMPORTER });
  if (outcome.outcome === 'imported' || outcome.outcome === 'unchanged') {
    return { file, licenseId, issue, outcome: outcome.outcome };
  }
  return { code: outcome.outcome, detail: importRefusalInWords(outcome, document), licenseId, issue };
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
