import { type Authentic, authenticate } from '@evergrant/formats/license/authenticate';
import type { Refusal } from '@evergrant/formats/license/refusal-codes';
import type { Logger } from 'pino';
import type { Licensing } from '../config/licensing';
import type { ReadEntitlement } from '../granting/store';
import type { Metrics } from '../platform/metrics';
import { proofMismatch } from './core/integrity';

/** Why the rows of a license are not believed. */
export interface Unproven {
  readonly kind: 'license_unproven';
  readonly licenseId: string;
  readonly code: 'license_tampered' | 'license_unknown_key' | 'license_not_for_this_deployment';
  readonly because: string;
}

export interface LicenseProofs {
  /** Undefined: the signed file says what the rows say. */
  check(rows: ReadEntitlement): Promise<Unproven | undefined>;
}

const FILES_REMEMBERED_MAX = 1_000;

/**
 * Compares what the database says of an entitlement with what the vendor signed, before anything is granted by it. A
 * database that was edited, or was copied to where nobody trusts its vendor, sells nothing.
 */
export class SignedLicenseProofs implements LicenseProofs {
  readonly #licensing: Licensing;
  readonly #metrics: Metrics;
  readonly #log: Logger;
  /** A file never changes its meaning: it is verified once. */
  readonly #byFile = new Map<string, Promise<Authentic | Refusal>>();
  /** Told once, until it is right again. */
  readonly #told = new Map<string, string>();

  constructor({ licensing, metrics, log }: { licensing: Licensing; metrics: Metrics; log: Logger }) {
    this.#licensing = licensing;
    this.#metrics = metrics;
    this.#log = log;
  }

  async check(rows: ReadEntitlement): Promise<Unproven | undefined> {
    const unproven = await this.#unproven(rows);
    this.#metrics.licenseProven.set({ license: rows.licenseId }, unproven ? 0 : 1);
    this.#tell(rows, unproven);
    return unproven;
  }

  async #unproven(rows: ReadEntitlement): Promise<Unproven | undefined> {
    const { licenseId, file } = rows;
    if (file === undefined) {
      return tampered(licenseId, 'the database has no signed file of it; import its license file');
    }
    const authentic = await this.#authentic(file);
    if (authentic.kind === 'refused') return { kind: 'license_unproven', licenseId, ...refusedAs(authentic) };
    const mismatch = proofMismatch(rows, authentic.document);
    if (mismatch === undefined) return undefined;
    return tampered(
      licenseId,
      `its ${mismatch} in the database is not what its vendor signed; import its license file again`,
    );
  }

  #authentic(file: string): Promise<Authentic | Refusal> {
    const known = this.#byFile.get(file);
    if (known) return known;
    if (this.#byFile.size >= FILES_REMEMBERED_MAX) this.#byFile.clear();
    const authentic = authenticate(file, this.#licensing);
    this.#byFile.set(file, authentic);
    return authentic;
  }

  #tell({ licenseId, product, feature }: ReadEntitlement, unproven: Unproven | undefined): void {
    const told = this.#told.get(licenseId);
    if (unproven?.because === told) return;
    if (unproven) {
      this.#told.set(licenseId, unproven.because);
      const announce = `license ${licenseId} grants nothing more: ${unproven.because}`;
      this.#log.error({ announce, alert: 'license-tampered', ...unproven, product, feature });
    } else {
      this.#told.delete(licenseId);
      this.#log.info({ announce: `license ${licenseId} says again what its vendor signed`, licenseId });
    }
  }
}

function tampered(licenseId: string, because: string): Unproven {
  return { kind: 'license_unproven', licenseId, code: 'license_tampered', because };
}

function refusedAs({ code, detail }: Refusal): Pick<Unproven, 'code' | 'because'> {
  if (code === 'license_unknown_key' || code === 'license_not_for_this_deployment') return { code, because: detail };
  return { code: 'license_tampered', because: `the signed file in the database is not good: ${detail}` };
}
