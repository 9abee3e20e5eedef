import type { DatabaseObservation, EpochStore, OpeningOutcome, ReplicationStore } from '@evergrant/server/epochs/store';
import type { Entitlement } from '@evergrant/server/granting/core/entitlement';
import type {
  EndingStore,
  EntitlementStore,
  GrantBatchRequest,
  LeaseQueries,
  LeaseStore,
  ReadEntitlement,
} from '@evergrant/server/granting/store';
import { DatabaseFailure } from '@evergrant/server/platform/database-failure';
import type { LicenseDatabase } from '@evergrant/server/platform/postgres/license-database';
import { type SimulatedAuditLog, simulatedAuditLogOn } from './audit-log-port';
import { type Connected, Connection, type ConnectionOptions, commitSimulated } from './connection';
import { lsnText, positionOf } from './database-server';
import { announceImport, type ImportStore, importTerms } from './imports';
import * as statements from './statements';
import type { PoolRow } from './tables';

export interface SimulatedLicenseDatabaseOptions extends ConnectionOptions {
  /** The audit log's own connection, as in the product. */
  readonly auditConnection: Connection;
  readonly onOpened: (outcome: OpeningOutcome) => void;
}

interface FollowerView {
  /** Databases that may be the follower. */
  readonly followers: number;
  readonly streaming: boolean;
  readonly flushed: number | undefined;
}

/** The time-out of packages/server/src/epochs/sql/open-epoch.ts. */
const OPENING_TIMEOUT_MS = 20_000;

export interface SimulatedDatabase
  extends Pick<LicenseDatabase, 'epochs' | 'replication' | 'leases' | 'endings' | 'entitlements' | 'queries'> {
  readonly audit: SimulatedAuditLog;
  readonly imports: ImportStore;
}

/** The stores of one license server over a simulated database that may fail at any step. */
export class SimulatedLicenseDatabase implements SimulatedDatabase {
  readonly audit: SimulatedAuditLog;
  readonly #options: SimulatedLicenseDatabaseOptions;
  readonly #connection: Connection;

  constructor(options: SimulatedLicenseDatabaseOptions) {
    this.#options = options;
    this.#connection = new Connection(options);
    this.audit = simulatedAuditLogOn(options.auditConnection, options.disabled);
  }

  readonly epochs: EpochStore = {
    observe: (beaconLsn) => this.#observe(beaconLsn),
    writeBeacon: () => this.#connection.ask(({ database }) => lsnText(commitSimulated(database, []))),
    readClock: () => this.#connection.read(({ database }) => this.#connection.context(database).nowMs),
    open: (request) =>
      this.#connection.ask(
        ({ database }) => {
          const context = this.#connection.context(database);
          const outcome = statements.openEpoch(context, request);
          if (outcome.kind === 'opened') commitSimulated(database, context.transaction.writes);
          this.#options.onOpened(outcome);
          return outcome;
        },
        { timeoutMs: OPENING_TIMEOUT_MS },
      ),
  };

  readonly replication: ReplicationStore = {
    readAcknowledged: () =>
      this.#connection.read((endpoint) => {
        const { flushed } = this.#follower(endpoint);
        return flushed === undefined ? undefined : lsnText(flushed);
      }),
    readMode: () =>
      this.#connection.read(({ database }) => {
        const row = database.newestEpoch;
        return row && { epoch: row.epoch, unprotected: row.unprotected, changes: row.changes };
      }),
    grantUnprotected: ({ epoch, region }, seenChanges) =>
      this.#connection.ask(({ database }) => {
        const row = database.newestEpoch;
        const fits = row?.epoch === epoch && row.region === region && !row.closed && !row.unprotected;
        if (!row || !fits || row.changes !== seenChanges) return false;
        commitSimulated(database, [{ table: 'epoch', row: { ...row, unprotected: true } }]);
        return true;
      }),
    protectGrants: ({ epoch, region }) =>
      this.#connection.ask(({ database }) => {
        const row = database.tables.epochs.get(epoch);
        if (!row || row.region !== region || row.closed) return undefined;
        const changed = { ...row, unprotected: false, changes: row.changes + 1 };
        return lsnText(commitSimulated(database, [{ table: 'epoch', row: changed }]));
      }),
  };

  readonly leases: LeaseStore = {
    grant: (batch) => this.#grant(batch),
    renew: (requests, expected) =>
      this.#connection.inEpoch(expected, (context) => statements.renew(context, requests, expected)),
    release: (requests, expected) =>
      this.#connection.inEpoch(expected, (context) => statements.release(context, requests)),
    expire: (expected) =>
      this.#connection.inEpoch(expected, (context) => statements.expire(context), {
        promptly: this.#options.readsPromptly,
      }),
  };

  readonly endings: EndingStore = {
    findMarked: (expected) =>
      this.#connection.inEpoch(expected, (context) => statements.markedLeases(context), {
        promptly: this.#options.readsPromptly,
      }),
    end: (leaseIds, expected) =>
      this.#connection.inEpoch(expected, (context) => statements.endMarked(context, leaseIds)),
  };

  readonly imports: ImportStore = {
    announce: (request, expected) => this.#connection.inEpoch(expected, (context) => announceImport(context, request)),
    import: (request, expected) => this.#connection.inEpoch(expected, (context) => importTerms(context, request)),
  };

  readonly entitlements: EntitlementStore = {
    find: ({ feature }) =>
      this.#connection.read(({ database }) =>
        [...database.tables.pools.values()]
          .filter((pool) => statements.featureOf(pool.id) === feature)
          .map((pool): ReadEntitlement => ({ ...entitlementOf(pool), licenseKeySha256: undefined, file: undefined })),
      ),
  };

  readonly queries: LeaseQueries = { readPools: async () => [], readLeases: async () => [] };

  async #observe(beaconLsn: string | undefined): Promise<DatabaseObservation> {
    try {
      return await this.#connection.read((endpoint) => {
        const { newestEpoch: row, role } = endpoint.database;
        const epoch = row && { epoch: row.epoch, region: row.region, closed: row.closed };
        const { followers, streaming, flushed } = this.#follower(endpoint);
        return {
          database: { kind: role === 'primary' ? 'writable' : 'read_only', epoch },
          followers,
          followerStreaming: streaming,
          beaconAcknowledged: beaconLsn !== undefined && flushed !== undefined && flushed >= positionOf(beaconLsn),
        };
      });
    } catch (failure) {
      if (!(failure instanceof DatabaseFailure)) throw failure;
      const database = { kind: 'unreachable', epoch: undefined } as const;
      return { database, followers: undefined, followerStreaming: false, beaconAcknowledged: false, failure };
    }
  }

  /**
   * The follower as packages/server/src/epochs/sql/observe-database.ts reads it. With a foreign walsender there are two
   * candidates, also while the follower is away, because its slot remains. Then none counts.
   */
  #follower({ database, stream, hasForeignWalsender }: Connected): FollowerView {
    const followers = (stream === undefined ? 0 : 1) + (hasForeignWalsender ? 1 : 0);
    if (!hasForeignWalsender) {
      return { followers, streaming: stream?.isStreaming ?? false, flushed: stream?.acknowledged };
    }
    if (!this.#options.disabled.has('one-follower')) return { followers, streaming: false, flushed: undefined };
    return { followers, streaming: true, flushed: database.position };
  }

  async #grant(batch: GrantBatchRequest): ReturnType<LeaseStore['grant']> {
    const { expected } = batch;
    if (!this.#options.disabled.has('S1'))
      return this.#connection.inEpoch(expected, (context) => statements.grant(context, batch));
    // Without the row lock: the decision uses rows that were read some time before they are written.
    const decided = await this.#connection.ask(({ database }) => {
      const context = this.#connection.context(database);
      return {
        verdict: statements.isOpen(database, expected),
        result: statements.grant(context, batch),
        writes: context.transaction,
      };
    });
    if (decided.verdict.kind !== 'open') return decided.verdict;
    return this.#connection.inEpoch(expected, ({ transaction }) => {
      for (const write of decided.writes.writes) transaction.put(write);
      return decided.result;
    });
  }
}

function entitlementOf(pool: PoolRow): Entitlement {
  const { id, seats, overdraft, borrowSecondsMax, issue } = pool;
  return {
    ...statements.leasedPool(pool),
    poolId: id,
    issue,
    kind: 'cloud',
    controlRoom: undefined,
    servers: [],
    seats,
    overdraft,
    borrowSecondsMax,
    validFromMs: 0,
    validUntilMs: statements.VALID_UNTIL_MS,
  };
}
