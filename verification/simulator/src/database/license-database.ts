import type { EpochStore, Observation, OpeningOutcome, ReplicationStore } from '@evergrant/server/epochs/store';
import type { Entitlement } from '@evergrant/server/granting/core/entitlement';
import type {
  EntitlementStore,
  GrantBatchRequest,
  LeaseQueries,
  LeaseStore,
  ReadEntitlement,
} from '@evergrant/server/granting/store';
import { DatabaseFailure } from '@evergrant/server/platform/database-failure';
import type { LicenseDatabase } from '@evergrant/server/platform/postgres/license-database';
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

export interface SimulatedDatabase
  extends Pick<LicenseDatabase, 'epochs' | 'replication' | 'leases' | 'entitlements' | 'queries'> {
  readonly audit: SimulatedAuditLog;
}

/** The stores of one license server, over a database that may stop at any step. */
export class SimulatedLicenseDatabase implements SimulatedDatabase {
  readonly audit: SimulatedAuditLog;
  readonly #options: LicenseDatabaseOptions;
  readonly #connection: Connection;

  constructor(options: LicenseDatabaseOptions) {
    this.#options = options;
    this.#connection = new Connection(options);
    this.audit = auditLogOn(options.auditConnection, options.without);
  }

  readonly epochs: EpochStore = {
    observe: (beaconLsn) => this.#observe(beaconLsn),
    writeBeacon: () => this.#connection.ask(({ database }) => lsnText(commit(database, []))),
    open: (request) =>
      this.#connection.ask(
        ({ database }) => {
          const verb = this.#connection.verb(database);
          const outcome = verbs.openEpoch(verb, request);
          if (outcome.kind === 'opened') commit(database, verb.transaction.writes);
          this.#options.onOpened(outcome);
          return outcome;
        },
        { timeoutMs: OPENING_TIMEOUT_MS },
      ),
  };

  readonly replication: ReplicationStore = {
    readAcknowledged: () =>
      this.#connection.look(({ stream }) => {
        const acknowledged = stream?.acknowledged;
        return acknowledged === undefined ? undefined : lsnText(acknowledged);
      }),
    readMode: () =>
      this.#connection.look(({ database }) => {
        const row = database.newestEpoch;
        return row && { epoch: row.epoch, unprotected: row.unprotected, changes: row.changes };
      }),
    grantUnprotected: ({ epoch, region }, seenChanges) =>
      this.#connection.ask(({ database }) => {
        const row = database.newestEpoch;
        const fits = row?.epoch === epoch && row.region === region && !row.closed && !row.unprotected;
        if (!row || !fits || row.changes !== seenChanges) return false;
        commit(database, [{ table: 'epoch', row: { ...row, unprotected: true } }]);
        return true;
      }),
    protectGrants: ({ epoch, region }) =>
      this.#connection.ask(({ database }) => {
        const row = database.tables.epochs.get(epoch);
        if (!row || row.region !== region || row.closed) return undefined;
        const changed = { ...row, unprotected: false, changes: row.changes + 1 };
        return lsnText(commit(database, [{ table: 'epoch', row: changed }]));
      }),
  };

  readonly leases: LeaseStore = {
    grant: (batch) => this.#grant(batch),
    renew: (requests, expected) => this.#connection.inEpoch(expected, (verb) => verbs.renew(verb, requests, expected)),
    release: (requests, expected) => this.#connection.inEpoch(expected, (verb) => verbs.release(verb, requests)),
    expire: (expected) =>
      this.#connection.inEpoch(expected, (verb) => verbs.expire(verb), { promptly: this.#options.readsPromptly }),
  };

  readonly entitlements: EntitlementStore = {
    find: ({ feature }) =>
      this.#connection.look(({ database }) =>
        [...database.tables.pools.values()]
          .filter((pool) => verbs.featureOf(pool.id) === feature)
          .map((pool): ReadEntitlement => ({ ...entitlementOf(pool), licenseKeySha256: undefined, file: undefined })),
      ),
  };

  readonly queries: LeaseQueries = { readPools: async () => [], readLeases: async () => [] };

  async #observe(beaconLsn: string | undefined): Promise<Observation> {
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

  async #grant(batch: GrantBatchRequest): ReturnType<LeaseStore['grant']> {
    const { expected } = batch;
    if (!this.#options.without.has('S1')) return this.#connection.inEpoch(expected, (verb) => verbs.grant(verb, batch));
    // Without the row lock: the decision uses rows that were read some time before they are written.
    const decided = await this.#connection.ask(({ database }) => {
      const verb = this.#connection.verb(database);
      return { verdict: verbs.isOpen(database, expected), result: verbs.grant(verb, batch), writes: verb.transaction };
    });
    if (decided.verdict.kind !== 'open') return decided.verdict;
    return this.#connection.inEpoch(expected, ({ transaction }) => {
      for (const write of decided.writes.writes) transaction.put(write);
      return decided.result;
    });
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
