import type { Entitlement } from '@evergrant/server/granting/core/entitlement';
import {
  DatabaseFailure,
  type LicenseDatabase,
  type Observation,
  type OpeningOutcome,
  type ProtectionRow,
  type ReadEntitlement,
} from '@evergrant/server/ports';
import { auditLogOn, type SimulatedAuditLog } from './audit-log';
import { Connection, type ConnectionOptions, commit } from './connection';
import { lsnText, positionOf } from './database-server';
import * as verbs from './statements';
import type { PoolRow } from './tables';

export interface LicenseDatabaseOptions extends ConnectionOptions {
  /** For whoever reads and writes the audit log: on connections of its own, as in the product. */
  readonly auditConnection: Connection;
  readonly onOpened: (outcome: OpeningOutcome) => void;
}

/** As packages/server/src/epochs/sql/open-epoch.ts limits the opening of an epoch. */
const OPENING_TIMEOUT_MS = 20_000;

export type SimulatedDatabase = Pick<
  LicenseDatabase,
  | 'observe'
  | 'writeBeacon'
  | 'readProtection'
  | 'grantUnprotected'
  | 'protectGrants'
  | 'readAcknowledged'
  | 'openEpoch'
  | 'grant'
  | 'renew'
  | 'release'
  | 'expire'
  | 'findEntitlements'
  | 'readPools'
> & { readonly audit: SimulatedAuditLog };

/** The license database as a server sees it: its port, over a database that may die at any step. */
export class SimulatedLicenseDatabase implements SimulatedDatabase {
  readonly audit: SimulatedAuditLog;
  readonly #options: LicenseDatabaseOptions;
  readonly #connection: Connection;

  constructor(options: LicenseDatabaseOptions) {
    this.#options = options;
    this.#connection = new Connection(options);
    this.audit = auditLogOn(options.auditConnection, options.without);
  }

  async observe(beaconLsn: string | undefined): Promise<Observation> {
    try {
      return await this.#connection.look(({ database, stream }) => {
        const { newestEpoch: row, role } = database;
        const epoch = row && { epoch: row.epoch, region: row.region, closed: row.closed };
        const flushed = stream?.acknowledged;
        return {
          database: { kind: role === 'primary' ? 'writable' : 'read_only', epoch },
          followerStreaming: stream?.isStreaming ?? false,
          beaconAcknowledged: beaconLsn !== undefined && flushed !== undefined && flushed >= positionOf(beaconLsn),
        };
      });
    } catch (failure) {
      if (!(failure instanceof DatabaseFailure)) throw failure;
      const database = { kind: 'unreachable', epoch: undefined } as const;
      return { database, followerStreaming: false, beaconAcknowledged: false, failure };
    }
  }

  writeBeacon(): Promise<string> {
    return this.#connection.ask(({ database }) => lsnText(commit(database, [])));
  }

  readAcknowledged(): Promise<string | undefined> {
    return this.#connection.look(({ stream }) => {
      const acknowledged = stream?.acknowledged;
      return acknowledged === undefined ? undefined : lsnText(acknowledged);
    });
  }

  readProtection(): Promise<ProtectionRow | undefined> {
    return this.#connection.look(({ database }) => {
      const row = database.newestEpoch;
      return row && { epoch: row.epoch, unprotected: row.unprotected, changes: row.changes };
    });
  }

  grantUnprotected: LicenseDatabase['grantUnprotected'] = ({ epoch, region }, seenChanges) =>
    this.#connection.ask(({ database }) => {
      const row = database.newestEpoch;
      const fits = row?.epoch === epoch && row.region === region && !row.closed && !row.unprotected;
      if (!row || !fits || row.changes !== seenChanges) return false;
      commit(database, [{ table: 'epoch', row: { ...row, unprotected: true } }]);
      return true;
    });

  protectGrants: LicenseDatabase['protectGrants'] = ({ epoch, region }) =>
    this.#connection.ask(({ database }) => {
      const row = database.tables.epochs.get(epoch);
      if (!row || row.region !== region || row.closed) return undefined;
      const changed = { ...row, unprotected: false, changes: row.changes + 1 };
      return lsnText(commit(database, [{ table: 'epoch', row: changed }]));
    });

  openEpoch: LicenseDatabase['openEpoch'] = (request) =>
    this.#connection.ask(
      ({ database }) => {
        const verb = this.#connection.verb(database);
        const outcome = verbs.openEpoch(verb, request);
        if (outcome.kind === 'opened') commit(database, verb.transaction.writes);
        this.#options.onOpened(outcome);
        return outcome;
      },
      { timeoutMs: OPENING_TIMEOUT_MS },
    );

  grant: LicenseDatabase['grant'] = async (batch) => {
    const { expected } = batch;
    if (!this.#options.without.has('S1')) return this.#connection.inEpoch(expected, (verb) => verbs.grant(verb, batch));
    // Without the row lock: decided on what was read a while before it is written.
    const decided = await this.#connection.ask(({ database }) => {
      const verb = this.#connection.verb(database);
      return { verdict: verbs.isOpen(database, expected), result: verbs.grant(verb, batch), writes: verb.transaction };
    });
    if (decided.verdict.kind !== 'open') return decided.verdict;
    return this.#connection.inEpoch(expected, ({ transaction }) => {
      for (const write of decided.writes.writes) transaction.put(write);
      return decided.result;
    });
  };

  renew: LicenseDatabase['renew'] = (requests, expected) =>
    this.#connection.inEpoch(expected, (verb) => verbs.renew(verb, requests, expected));

  release: LicenseDatabase['release'] = (requests, expected) =>
    this.#connection.inEpoch(expected, (verb) => verbs.release(verb, requests));

  expire: LicenseDatabase['expire'] = (expected) =>
    this.#connection.inEpoch(expected, (verb) => verbs.expire(verb), { promptly: this.#options.readsPromptly });

  findEntitlements: LicenseDatabase['findEntitlements'] = ({ feature }) =>
    this.#connection.look(({ database }) =>
      [...database.tables.pools.values()]
        .filter((pool) => verbs.featureOf(pool.id) === feature)
        .map((pool): ReadEntitlement => ({ ...entitlementOf(pool), licenseKeySha256: undefined, file: undefined })),
    );

  async readPools(): Promise<[]> {
    return [];
  }
}

function entitlementOf(pool: PoolRow): Entitlement {
  const { id, seats, overdraft, borrowSecondsMax } = pool;
  return {
    ...verbs.leasedPool(pool),
    ...{ poolId: id, issue: 1, kind: 'cloud', controlRoom: undefined, servers: [] },
    ...{ seats, overdraft, borrowSecondsMax, validFromMs: 0, validUntilMs: verbs.VALID_UNTIL_MS },
  };
}
