import type { LicenseDocument } from '@evergrant/formats/license/document';
import type { Refusal as FileRefusal } from '@evergrant/formats/license/refusal-codes';
import { verifyLicense } from '@evergrant/formats/license/verify';
import type { Logger } from 'pino';
import type { Licensing } from '../config/licensing';
import type { EpochTransactions, Refusal } from '../epochs/epoch-transactions';
import { DatabaseFailure } from '../platform/database-failure';
import type { Metrics } from '../platform/metrics';
import type { ImportRefusal, ImportSuccess } from './core/license-import';
import type { LicenseStore } from './store';

export interface LicenseImportServiceOptions {
  readonly server: string;
  readonly licensing: Licensing;
  readonly store: Pick<LicenseStore, 'import' | 'nowMs'>;
  readonly transactions: EpochTransactions;
  readonly metrics: Metrics;
  readonly log: Logger;
}

export interface SubmittedFile {
  readonly text: string;
  /** Decrypts a file that is encrypted with its license key. */
  readonly licenseKey: string | undefined;
  /** The name of the API token. */
  readonly submittedBy: string;
}

export type ImportAnswer =
  | {
      readonly kind: ImportSuccess['outcome'];
      readonly document: LicenseDocument;
      /** The parts of a Keygen file that have no counterpart in Evergrant. */
      readonly dropped: readonly string[];
    }
  | { readonly kind: 'file_refused'; readonly refusal: FileRefusal }
  | { readonly kind: 'import_refused'; readonly refusal: ImportRefusal; readonly document: LicenseDocument }
  | Refusal;

/** Imports license files into a running deployment. Only a granting server imports, in its epoch. */
export class LicenseImportService {
  readonly #options: LicenseImportServiceOptions;

  constructor(options: LicenseImportServiceOptions) {
    this.#options = options;
  }

  async import(file: SubmittedFile): Promise<ImportAnswer> {
    const { transactions, metrics } = this.#options;
    const answer = transactions.precheck() ?? (await this.#import(file));
    metrics.licenseImports.inc({ outcome: outcomeOf(answer) });
    return answer;
  }

  async #import({ text, licenseKey, submittedBy }: SubmittedFile): Promise<ImportAnswer> {
    const { licensing, server, store, transactions } = this.#options;
    const nowMs = await this.#databaseTime();
    if (typeof nowMs === 'object') return nowMs;
    const verdict = await verifyLicense(text, { ...licensing, nowMs, server, licenseKey });
    if (verdict.kind === 'refused') return { kind: 'file_refused', refusal: verdict };
    const { document, file, dropped } = verdict;
    const committed = await transactions.execute('import', 1, (expected) =>
      store.import({ document, file, importedBy: submittedBy }, expected),
    );
    if (committed.kind !== 'done') return committed;
    const { result } = committed;
    // The last check of authority before the answer (S5).
    const refusal = transactions.recheckBeforeAck(committed.epoch);
    if (refusal) return refusal;
    if (result.outcome !== 'imported' && result.outcome !== 'unchanged') {
      return { kind: 'import_refused', refusal: result, document };
    }
    if (result.outcome === 'imported') this.#announce(document, submittedBy);
    return { kind: result.outcome, document, dropped };
  }

  async #databaseTime(): Promise<number | Refusal> {
    try {
      return await this.#options.store.nowMs();
    } catch (error) {
      if (!(error instanceof DatabaseFailure)) throw error;
      return this.#options.transactions.refused(error);
    }
  }

  #announce({ licenseId, issue, customer, product, kind }: LicenseDocument, importedBy: string): void {
    const announce = `license ${licenseId} of ${customer}: issue ${issue} is in force, imported by ${importedBy}`;
    this.#options.log.info({ announce, licenseId, issue, customer, product, kind, importedBy });
  }
}

function outcomeOf(answer: ImportAnswer): string {
  if (answer.kind === 'file_refused') return answer.refusal.code;
  return answer.kind === 'import_refused' ? answer.refusal.outcome : answer.kind;
}
