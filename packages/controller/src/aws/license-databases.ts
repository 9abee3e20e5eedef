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
  readonly resources: RegionResourceRegistry;
  /** The controller's login; it throws if our own credentials are not available. */
  readonly login: () => Promise<DatabaseLogin>;
  readonly certificateAuthorities: readonly string[];
  readonly rds: Rds;
  /** Time-out of one observation or effect, connecting included. */
  readonly timeoutMs: number;
}

/** The license databases: observed in SQL over TLS, promoted by RDS. */
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
      // The address or the password is not available, which is no evidence about the database.
      return { kind: 'unknown', reason: failure.message };
    }
  }

  /** SQL guards the promotion, RDS executes it: a follower that has a newer epoch is not promoted. */
  async promote(region: Region, epochAtMost: number): Promise<void> {
    const view = await this.view(region);
    if (view.kind === 'primary') return;
    if (view.kind !== 'follower') {
      const message = `${region}'s follower cannot be queried: ${view.reason}`;
      throw new OperatingError({ code: 'follower_unreachable', message, retryable: true });
    }
    if (view.epoch !== undefined && view.epoch.epoch > epochAtMost) return;
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
    const { resources, login, certificateAuthorities, timeoutMs } = this.#options;
    const [{ databaseHost: host, databasePort }, credentials] = await Promise.all([resources.of(region), login()]);
    const address = { host, port: Number(databasePort), certificateAuthorities };
    // The caller uses the address of this region only.
    return new LicenseDatabases({ addresses: { oregon: address, virginia: address }, login: credentials, timeoutMs });
  }
}
