import type { Entitlement } from '../../../server/core/entitlement';
import {
  DatabaseFailure,
  type ExpectedEpoch,
  type InEpoch,
  type LicenseDatabase,
  type Observation,
  type OpeningOutcome,
  type ProtectionRow,
  type ReadEntitlement,
} from '../../../server/ports';
import type { Host } from '../places/host';
import type { Network } from '../places/network';
import type { Without } from '../rules';
import type { Clockwork } from '../time/clockwork';
import type { Random } from '../time/random';
import { type DatabaseServer, lsnText, positionOf } from './database-server';
import type { Replication } from './replication';
import { ConstraintViolation, type PoolRow, Transaction, type Write } from './tables';
import * as verbs from './verbs';

/** What a region's servers are connected to: the database at its endpoint, and the stream that leaves it. */
export interface Endpoint {
  readonly database: DatabaseServer | undefined;
  /** The stream to the other region's follower. */
  readonly stream: Replication | undefined;
}

export interface LicenseDatabaseOptions {
  /** The server that asks. */
  readonly host: Host;
  readonly endpoint: () => Endpoint;
  readonly network: Network;
  readonly clockwork: Clockwork;
  readonly random: Random;
  readonly without: Without;
  /** What is only read is answered in the same step. */
  readonly readsPromptly: boolean;
  readonly onOpened: (outcome: OpeningOutcome) => void;
}

type Served<T> =
  | { readonly kind: 'done'; readonly value: T; readonly wrote: boolean }
  | { readonly kind: 'failed'; readonly failure: unknown };

/** As server/postgres/connection.ts limits a query, and the opening of an epoch. */
const QUERY_TIMEOUT_MS = 5_000;
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
>;

/** The license database as a server sees it: its port, over a database that may die at any step. */
export class SimulatedLicenseDatabase implements SimulatedDatabase {
  readonly #options: LicenseDatabaseOptions;

  constructor(options: LicenseDatabaseOptions) {
    this.#options = options;
  }

  async observe(beaconLsn: string | undefined): Promise<Observation> {
    try {
      return await this.#look(({ database, stream }) => {
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
    return this.#ask(QUERY_TIMEOUT_MS, ({ database }) => lsnText(commit(database, [])));
  }

  readAcknowledged(): Promise<string | undefined> {
    return this.#look(({ stream }) => {
      const acknowledged = stream?.acknowledged;
      return acknowledged === undefined ? undefined : lsnText(acknowledged);
    });
  }

  readProtection(): Promise<ProtectionRow | undefined> {
    return this.#look(({ database }) => {
      const row = database.newestEpoch;
      return row && { epoch: row.epoch, unprotected: row.unprotected, changes: row.changes };
    });
  }

  grantUnprotected: LicenseDatabase['grantUnprotected'] = ({ epoch, region }, seenChanges) =>
    this.#ask(QUERY_TIMEOUT_MS, ({ database }) => {
      const row = database.newestEpoch;
      const fits = row?.epoch === epoch && row.region === region && !row.closed && !row.unprotected;
      if (!row || !fits || row.changes !== seenChanges) return false;
      commit(database, [{ table: 'epoch', row: { ...row, unprotected: true } }]);
      return true;
    });

  protectGrants: LicenseDatabase['protectGrants'] = ({ epoch, region }) =>
    this.#ask(QUERY_TIMEOUT_MS, ({ database }) => {
      const row = database.tables.epochs.get(epoch);
      if (!row || row.region !== region || row.closed) return undefined;
      const changed = { ...row, unprotected: false, changes: row.changes + 1 };
      return lsnText(commit(database, [{ table: 'epoch', row: changed }]));
    });

  openEpoch: LicenseDatabase['openEpoch'] = (request) =>
    this.#ask(OPENING_TIMEOUT_MS, ({ database }) => {
      const verb = this.#verb(database);
      const outcome = verbs.openEpoch(verb, request);
      if (outcome.kind === 'opened') commit(database, verb.transaction.writes);
      this.#options.onOpened(outcome);
      return outcome;
    });

  grant: LicenseDatabase['grant'] = async (batch) => {
    const { expected } = batch;
    if (!this.#options.without.has('S1')) return this.#inEpoch(expected, (verb) => verbs.grant(verb, batch));
    // Without the row lock: decided on what was read a while before it is written.
    const decided = await this.#ask(QUERY_TIMEOUT_MS, ({ database }) => {
      const verb = this.#verb(database);
      return { verdict: verbs.isOpen(database, expected), result: verbs.grant(verb, batch), writes: verb.transaction };
    });
    if (decided.verdict.kind !== 'open') return decided.verdict;
    return this.#inEpoch(expected, ({ transaction }) => {
      for (const write of decided.writes.writes) transaction.put(write);
      return decided.result;
    });
  };

  renew: LicenseDatabase['renew'] = (requests, expected) =>
    this.#inEpoch(expected, (verb) => verbs.renew(verb, requests, expected));

  release: LicenseDatabase['release'] = (requests, expected) =>
    this.#inEpoch(expected, (verb) => verbs.release(verb, requests));

  expire: LicenseDatabase['expire'] = (expected) =>
    this.#inEpoch(expected, (verb) => verbs.expire(verb), { promptly: this.#options.readsPromptly });

  findEntitlements: LicenseDatabase['findEntitlements'] = ({ feature }) =>
    this.#look(({ database }) =>
      [...database.tables.pools.values()]
        .filter((pool) => verbs.featureOf(pool.id) === feature)
        .map((pool): ReadEntitlement => ({ ...entitlementOf(pool), licenseKeySha256: undefined, file: undefined })),
    );

  async readPools(): Promise<[]> {
    return [];
  }

  #verb(database: DatabaseServer): verbs.Verb {
    const { without, host } = this.#options;
    const transaction = new Transaction(database.tables, { lastDefence: !without.has('last-defence') });
    const clock = without.has('S7-expiry') ? host : database.host;
    return { database, transaction, nowMs: Math.floor(clock.wallMs()), without };
  }

  /** As server/postgres/transaction.ts: only while `expected` is the open epoch, all or nothing. */
  #inEpoch<T>(
    expected: ExpectedEpoch,
    work: (verb: verbs.Verb) => T,
    how?: { readonly promptly: boolean },
  ): Promise<InEpoch<T>> {
    const serve = ({ database }: { readonly database: DatabaseServer }): InEpoch<T> => {
      if (database.role !== 'primary') throw new DatabaseFailure('read_only', { cause: 'it follows' });
      const verdict = verbs.isOpen(database, expected);
      if (verdict.kind !== 'open') return verdict;
      const verb = this.#verb(database);
      const result = work(verb);
      const { writes } = verb.transaction;
      // A transaction that wrote nothing has still seen everything up to here.
      const position = writes.length > 0 ? commit(database, writes) : database.position;
      return { kind: 'done', result, lsn: lsnText(position), unprotected: database.newestEpoch?.unprotected === true };
    };
    return this.#ask(QUERY_TIMEOUT_MS, serve, how);
  }

  /** A round trip of a query that nothing hangs by but what the server believes. */
  #look<T>(serve: (endpoint: Endpoint & { database: DatabaseServer }) => T): Promise<T> {
    return this.#ask(QUERY_TIMEOUT_MS, serve, { promptly: this.#options.readsPromptly });
  }

  /** One round trip. Whether what was asked has happened is not known when no answer comes. */
  async #ask<T>(
    timeoutMs: number,
    serve: (endpoint: Endpoint & { database: DatabaseServer }) => T,
    { promptly = false } = {},
  ): Promise<T> {
    const { host, network, endpoint } = this.#options;
    const served = await network.ask<Served<T>>(host, host.place, {
      timeoutMs,
      late: () => failed('unreachable', 'no answer in time', true),
      ...(promptly ? { promptly: (answer) => answer.kind === 'done' && !answer.wrote } : {}),
      serve: (answer) => {
        const { database, stream } = endpoint();
        if (!database || database.host.state === 'down') return answer(failed('unreachable', 'refused', false));
        const { life } = database.host;
        database.host.arrive(life, () => answer(attempt(database, () => serve({ database, stream }))));
      },
    });
    if (served.kind === 'failed') throw served.failure;
    return served.value;
  }
}

function attempt<T>(database: DatabaseServer, work: () => T): Served<T> {
  const { position } = database;
  try {
    const value = work();
    return { kind: 'done', value, wrote: database.position !== position };
  } catch (failure) {
    if (failure instanceof ConstraintViolation) return failed('fault', failure.message, false);
    return { kind: 'failed', failure };
  }
}

function failed(kind: 'unreachable' | 'fault', cause: string, outcomeUnknown: boolean): Served<never> {
  return { kind: 'failed', failure: new DatabaseFailure(kind, { cause, outcomeUnknown }) };
}

function commit(database: DatabaseServer, writes: readonly Write[]): number {
  if (database.role !== 'primary') throw new DatabaseFailure('read_only', { cause: 'it follows' });
  return database.commit(writes);
}

function entitlementOf(pool: PoolRow): Entitlement {
  const { id, seats, overdraft, borrowSecondsMax } = pool;
  return {
    ...verbs.leasedPool(pool),
    ...{ poolId: id, issue: 1, kind: 'cloud', controlRoom: undefined, servers: [] },
    ...{ seats, overdraft, borrowSecondsMax, validFromMs: 0, validUntilMs: verbs.VALID_UNTIL_MS },
  };
}
