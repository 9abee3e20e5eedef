import type { LicenseDocument } from '@evergrant/formats/license/document';
import type { FileRefusal } from '@evergrant/formats/license/refusal-codes';
import { verifyLicense } from '@evergrant/formats/license/verify';
import type { Logger } from 'pino';
import type { Licensing } from '../config/licensing';
import type { Acknowledged, AcknowledgementGate } from '../epochs/acknowledgement-gate';
import type { EpochTransactions, Refusal } from '../epochs/epoch-transactions';
import { DatabaseFailure } from '../platform/database-failure';
import type { Metrics } from '../platform/metrics';
import type { ImportRefusal, ImportSuccess, LicenseImport, OutlastingBorrow } from './core/license-import';
import type { LicenseStore } from './store';

export interface LicenseImportServiceOptions {
  readonly server: string;
  readonly licensing: Licensing;
  readonly store: Pick<LicenseStore, 'announce' | 'import' | 'nowMs'>;
  readonly transactions: EpochTransactions;
  readonly gate: AcknowledgementGate;
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

export interface SuccessfulImport {
  readonly kind: ImportSuccess['outcome'];
  readonly document: LicenseDocument;
  /** The parts of a Keygen file that have no counterpart in Evergrant. */
  readonly dropped: readonly string[];
  readonly leasesCut: number;
  readonly borrowedBeyond: readonly OutlastingBorrow[];
}

export type ImportAnswer =
  | Acknowledged<SuccessfulImport>
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
    const { licensing, server, store, transactions, gate } = this.#options;
    const nowMs = await this.#databaseTime();
    if (typeof nowMs === 'object') return nowMs;
    const verdict = await verifyLicense(text, { ...licensing, nowMs, server, licenseKey });
    if (verdict.kind === 'refused') return { kind: 'file_refused', refusal: verdict };
    const { document, file, dropped } = verdict;
    const license = { document, file, importedBy: submittedBy };
    const refusal = await this.#announceWidening(license);
    if (refusal) return refusal;
    const committed = await transactions.execute('import', 1, (expected) => store.import(license, expected));
    if (committed.kind !== 'done') return committed;
    const { result } = committed;
    if (result.outcome !== 'imported' && result.outcome !== 'unchanged') {
      const unproven = transactions.recheckBeforeAck(committed.epoch);
      return unproven ?? { kind: 'import_refused', refusal: result, document };
    }
    if (result.outcome === 'imported') this.#announce(document, submittedBy);
    const { leasesCut, borrowedBeyond } = result;
    const success = { kind: result.outcome, document, dropped, leasesCut, borrowedBeyond };
    // What widens terms was announced. While unprotected only a restriction comes so far.
    return gate.acknowledge(committed, success, { kind: 'restriction' });
  }

  /**
   * An import that widens terms comes into force when the follower has it, so that no grant or renewal by the new terms
   * is unknown to the other region (S8). Resolves to the refusal of an import that cannot be announced.
   */
  async #announceWidening(license: LicenseImport): Promise<Refusal | undefined> {
    const { store, transactions, gate } = this.#options;
    const announced = await transactions.execute('import', 1, (expected) => store.announce(license, expected));
    if (announced.kind !== 'done') return announced;
    const { result } = announced;
    if (result.kind === 'not_needed') return undefined;
    if (result.kind === 'unprotected') return { kind: 'not_protected', detail: unprotectedText(result.widened) };
    const acknowledged = await gate.acknowledge(announced, result, { kind: 'replicated' });
    if (acknowledged.kind === 'acknowledged') return undefined;
    return acknowledged.kind === 'not_protected' ? { ...acknowledged, detail: UNCONFIRMED } : acknowledged;
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

const UNCONFIRMED =
  'the other region has not confirmed in time that it has the file, so the file is not in force; import it again';

function unprotectedText(widened: readonly string[]): string {
  const terms = widened.join(', ');
  return `no other region is protecting this one, and the file widens terms that would be lost with it: ${terms}. Restore the protection (runbook, granting-unprotected), then import the file again`;
}

function outcomeOf(answer: ImportAnswer): string {
  if (answer.kind === 'acknowledged') return answer.value.kind;
  if (answer.kind === 'file_refused') return answer.refusal.code;
  return answer.kind === 'import_refused' ? answer.refusal.outcome : answer.kind;
}
