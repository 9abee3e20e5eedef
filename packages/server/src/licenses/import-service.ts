import type { LicenseDocument } from '@evergrant/formats/license/document';
import type { Refusal as FileRefusal } from '@evergrant/formats/license/refusal-codes';
import { verifyLicense } from '@evergrant/formats/license/verify';
import type { Logger } from 'pino';
import type { Licensing } from '../config/licensing';
import type { EpochWork, Refusal } from '../epochs/epoch-transactions';
import { DatabaseFailure } from '../platform/database-failure';
import type { Metrics } from '../platform/metrics';
import type { ImportDone, ImportRefusal } from './core/license-import';
import type { Licenses } from './ports';

export interface LicenseDeskOptions {
  readonly server: string;
  readonly licensing: Licensing;
  readonly licenses: Licenses;
  readonly work: EpochWork;
  readonly metrics: Metrics;
  readonly log: Logger;
}

export interface BroughtFile {
  readonly text: string;
  /** Opens a file that is encrypted with it. */
  readonly licenseKey: string | undefined;
  /** The name of the API token. */
  readonly broughtBy: string;
}

export type ImportAnswer =
  | {
      readonly kind: ImportDone['outcome'];
      readonly document: LicenseDocument;
      /** What a Keygen file says that has no counterpart. */
      readonly dropped: readonly string[];
    }
  | { readonly kind: 'file_refused'; readonly refusal: FileRefusal }
  | { readonly kind: 'import_refused'; readonly refusal: ImportRefusal; readonly document: LicenseDocument }
  | Refusal;

/** Where license files are brought to a running server. Only one that grants takes them, in its epoch. */
export class LicenseDesk {
  readonly #options: LicenseDeskOptions;

  constructor(options: LicenseDeskOptions) {
    this.#options = options;
  }

  async import(file: BroughtFile): Promise<ImportAnswer> {
    const { work, metrics } = this.#options;
    const answer = work.refusal() ?? (await this.#import(file));
    metrics.licenseImports.inc({ outcome: outcomeOf(answer) });
    return answer;
  }

  async #import({ text, licenseKey, broughtBy }: BroughtFile): Promise<ImportAnswer> {
    const { licensing, server, licenses, work } = this.#options;
    const nowMs = await this.#databaseTime();
    if (typeof nowMs === 'object') return nowMs;
    const verdict = await verifyLicense(text, { ...licensing, nowMs, server, licenseKey });
    if (verdict.kind === 'refused') return { kind: 'file_refused', refusal: verdict };
    const { document, file, dropped } = verdict;
    const done = await work.run('import', 1, (expected) =>
      licenses.import({ document, file, importedBy: broughtBy }, expected),
    );
    if (done.kind !== 'done') return done;
    const { result } = done;
    // The last thing before the answer (S5).
    const refusal = work.refusalToAcknowledge(done.epoch);
    if (refusal) return refusal;
    if (result.outcome !== 'imported' && result.outcome !== 'unchanged') {
      return { kind: 'import_refused', refusal: result, document };
    }
    if (result.outcome === 'imported') this.#announce(document, broughtBy);
    return { kind: result.outcome, document, dropped };
  }

  async #databaseTime(): Promise<number | Refusal> {
    try {
      return await this.#options.licenses.nowMs();
    } catch (error) {
      if (!(error instanceof DatabaseFailure)) throw error;
      return this.#options.work.refused(error);
    }
  }

  #announce({ licenseId, issue, customer, product, kind }: LicenseDocument, importedBy: string): void {
    this.#options.log.info({
      announce: `license ${licenseId} of ${customer}: issue ${issue} is in force, imported by ${importedBy}`,
      ...{ licenseId, issue, customer, product, kind, importedBy },
    });
  }
}

function outcomeOf(answer: ImportAnswer): string {
  if (answer.kind === 'file_refused') return answer.refusal.code;
  return answer.kind === 'import_refused' ? answer.refusal.outcome : answer.kind;
}
