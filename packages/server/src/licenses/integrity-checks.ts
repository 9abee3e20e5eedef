import { type Authentic, authenticate } from '@evergrant/formats/license/authenticate';
import type { FileRefusal } from '@evergrant/formats/license/refusal-codes';
import type { Logger } from 'pino';
import type { Licensing } from '../config/licensing';
import type { ReadEntitlement } from '../granting/store';
import type { Metrics } from '../platform/metrics';
import { integrityMismatch } from './core/integrity';

/** The rows of a license do not match its signed file. */
export interface IntegrityFailure {
  readonly kind: 'license_integrity_failed';
  readonly licenseId: string;
  readonly code: 'license_tampered' | 'license_unknown_key' | 'license_not_for_this_deployment';
  readonly reason: string;
}

export interface IntegrityChecks {
  /** Resolves to undefined when the rows match the signed file. */
  check(rows: ReadEntitlement): Promise<IntegrityFailure | undefined>;
}

const FILES_CACHED_MAX = 1_000;

/**
 * Compares the rows of an entitlement with the file that the vendor signed, before anything is granted from it. An
 * edited database, or a copy of a database whose vendor is not trusted here, grants nothing.
 */
export class SignedFileIntegrityChecks implements IntegrityChecks {
  readonly #licensing: Licensing;
  readonly #metrics: Metrics;
  readonly #log: Logger;
  /** A file is immutable, so its signature is verified once. */
  readonly #byFile = new Map<string, Promise<Authentic | FileRefusal>>();
  /** The logged failure of each license, so that a failure is logged once until it is resolved. */
  readonly #logged = new Map<string, string>();

  constructor({ licensing, metrics, log }: { licensing: Licensing; metrics: Metrics; log: Logger }) {
    this.#licensing = licensing;
    this.#metrics = metrics;
    this.#log = log;
  }

  async check(rows: ReadEntitlement): Promise<IntegrityFailure | undefined> {
    const failure = await this.#failure(rows);
    this.#metrics.licenseProven.set({ license: rows.licenseId }, failure ? 0 : 1);
    this.#logChange(rows, failure);
    return failure;
  }

  async #failure(rows: ReadEntitlement): Promise<IntegrityFailure | undefined> {
    const { licenseId, file } = rows;
    if (file === undefined) {
      return tampered(licenseId, 'the database has no signed file of it; import its license file');
    }
    const authentic = await this.#authenticate(file);
    if (authentic.kind === 'refused') {
      return { kind: 'license_integrity_failed', licenseId, ...failureOf(authentic) };
    }
    const mismatch = integrityMismatch(rows, authentic.document);
    if (mismatch === undefined) return undefined;
    return tampered(
      licenseId,
      `its ${mismatch} in the database differs from the signed file; import its license file again`,
    );
  }

  #authenticate(file: string): Promise<Authentic | FileRefusal> {
    const cached = this.#byFile.get(file);
    if (cached) return cached;
    if (this.#byFile.size >= FILES_CACHED_MAX) this.#byFile.clear();
    const authentic = authenticate(file, this.#licensing);
    this.#byFile.set(file, authentic);
    return authentic;
  }

  #logChange({ licenseId, product, feature }: ReadEntitlement, failure: IntegrityFailure | undefined): void {
    if (failure?.reason === this.#logged.get(licenseId)) return;
    if (failure) {
      this.#logged.set(licenseId, failure.reason);
      const announce = `license ${licenseId} grants nothing more: ${failure.reason}`;
      this.#log.error({ announce, alert: 'license-tampered', ...failure, product, feature });
    } else {
      this.#logged.delete(licenseId);
      this.#log.info({ announce: `license ${licenseId} matches its signed file again`, licenseId });
    }
  }
}

function tampered(licenseId: string, reason: string): IntegrityFailure {
  return { kind: 'license_integrity_failed', licenseId, code: 'license_tampered', reason };
}

function failureOf({ code, detail }: FileRefusal): Pick<IntegrityFailure, 'code' | 'reason'> {
  if (code === 'license_unknown_key' || code === 'license_not_for_this_deployment') return { code, reason: detail };
  return { code: 'license_tampered', reason: `the signed file in the database is invalid: ${detail}` };
}
