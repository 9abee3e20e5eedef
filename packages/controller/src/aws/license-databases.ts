import { OperatingError } from '@evergrant/core/operating-error';
import type { Region } from '@evergrant/core/regions';
import type { DatabaseView } from '../core/database-view';
import { type Fact, unknown } from '../core/facts';
import type { DatabasePort } from '../ports';
import { LicenseDatabases } from '../probes/license-databases';
import type { DatabaseLogin } from '../probes/sql';
import type { Rds } from './database-service';
import type { RegionResourceRegistry } from './region-resources';

export interface RdsLicenseDatabasesOptions {
  readonly introductions: RegionResourceRegistry;
  /** The controller's login; a failure says that our own credentials cannot be had. */
  readonly login: () => Promise<DatabaseLogin>;
  readonly certificateAuthorities: readonly string[];
  readonly rds: Rds;
  /** For one look or act, connecting included. */
  readonly timeoutMs: number;
}

/** The license databases: looked at in SQL, over TLS and under their own names; promoted by RDS. */
export class RdsLicenseDatabases implements DatabasePort {
  readonly #options: RdsLicenseDatabasesOptions;

  constructor(options: RdsLicenseDatabasesOptions) {
    this.#options = options;
  }

  async view(region: Region): Promise<DatabaseView> {
    try {
      return await (await this.#sql(region)).view(region);
    } catch (failure) {
      if (!(failure instanceof OperatingError)) throw failure;
      // The address or the password could not be had: that says nothing about the database.
      return { kind: 'unknown', reason: failure.message };
    }
  }

  /** The guard is SQL's, the promotion RDS's: a follower that knows a newer epoch is left alone. */
  async promote(region: Region, epochAtMost: number): Promise<void> {
    const view = await this.view(region);
    if (view.kind === 'primary') return;
    if (view.kind !== 'follower') {
      const message = `${region}'s follower cannot be asked: ${view.reason}`;
      throw new OperatingError({ code: 'follower_unreachable', message, retryable: true });
    }
    if (view.epoch !== null && view.epoch.epoch > epochAtMost) return;
    await this.#options.rds.promote(region);
  }

  async verifyWrite(region: Region): Promise<Fact> {
    try {
      return await (await this.#sql(region)).verifyWrite(region);
    } catch (failure) {
      if (!(failure instanceof OperatingError)) throw failure;
      return unknown(failure.message);
    }
  }

  async closeEpoch(region: Region, epoch: number): Promise<void> {
    await (await this.#sql(region)).closeEpoch(region, epoch);
  }

  async #sql(region: Region): Promise<LicenseDatabases> {
    const { introductions, login, certificateAuthorities, timeoutMs } = this.#options;
    const [{ databaseHost: host, databasePort }, credentials] = await Promise.all([introductions.of(region), login()]);
    const address = { host, port: Number(databasePort), certificateAuthorities };
    // Only the region that is asked about is ever looked at.
    return new LicenseDatabases({ addresses: { oregon: address, virginia: address }, login: credentials, timeoutMs });
  }
}
