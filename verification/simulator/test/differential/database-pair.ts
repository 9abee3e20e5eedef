import type { LogState, RememberedEvent } from '@evergrant/server/audit/store';
import type { Entitlement } from '@evergrant/server/granting/core/entitlement';
import type { GrantRequest } from '@evergrant/server/granting/core/grant';
import type { LeaseClaim } from '@evergrant/server/granting/core/lease';
import { DatabaseFailure } from '@evergrant/server/platform/database-failure';
import type { LicenseDatabase } from '@evergrant/server/platform/postgres/license-database';
import { connectLicenseDatabase } from '@evergrant/server/platform/postgres/license-database';
import { importForTest } from '@evergrant/test-support/server/test-licenses';
import { TestDatabase } from '@evergrant/test-support/test-database';
import { declareSimulatedGap, isPresent, stateOf } from '../../src/database/audit-log';
import { DatabaseServer } from '../../src/database/database-server';
import * as statements from '../../src/database/statements';
import { ConstraintViolation, type PoolRow, SimulatedTransaction, Tables } from '../../src/database/tables';
import { NONE } from '../../src/mutations';
import { Random } from '../../src/time/random';
import { VirtualClock } from '../../src/time/virtual-clock';
import { Host } from '../../src/topology/host';

/** Much longer than a history takes, so that the extension by an opening is distinguishable from the elapsed time. */
const POLICY = { authorityLeaseMs: 300_000, skewMs: 120_000 };
const TTL_SECONDS = 600;
export const BORROW_SECONDS_MAX = 3_600;
const REGION = 'oregon';

/** What both are asked alike, and what each has made of it. */
export interface DatabaseUnderTest {
  grant(requests: readonly GrantRequest[], ackedSeq: number, epoch: number): Promise<unknown>;
  renew(leaseId: string, tokenUntilMs: number | undefined, epoch: number): Promise<unknown>;
  release(leaseId: string, claim: LeaseClaim | undefined, epoch: number): Promise<unknown>;
  expire(epoch: number): Promise<unknown>;
  openEpoch(epoch: number, unprotectedEpoch: number | undefined): Promise<unknown>;
  closeEpoch(epoch: number): Promise<void>;
  /** Makes a lease, or a place in line, end in so many seconds. */
  endIn(leaseId: string, seconds: number): Promise<void>;
  endWaiting(): Promise<void>;
  rows(): Promise<unknown>;
  /** Which leases began and ended, by the audit log. */
  events(): Promise<readonly string[]>;
  /** Where the pool's chain of the audit log stands. */
  head(): Promise<RememberedEvent>;
  /** Whether the log lacks it, and what is said when it is declared as lost; `refused`: it cannot be. */
  lose(event: RememberedEvent, epoch: number): Promise<{ missing: boolean; verdict: unknown }>;
  /** When what lives there ends: leases, places in line, the waiting for unknown grants. */
  ends(): Promise<ReadonlyMap<string, number>>;
}

const kindOf = (outcome: { kind: string } | { kind: 'done'; result: unknown }, show: (result: never) => unknown) =>
  'result' in outcome ? show(outcome.result as never) : outcome;

type Granted = {
  verdicts: readonly { kind: string; how?: string; position?: number; lease?: { id: string; seq: number } }[];
  grantSeq: number;
};

const grantShown = ({ verdicts, grantSeq }: Granted) => ({
  grantSeq,
  verdicts: verdicts.map(({ kind, how, position, lease }) => ({ kind, how, position, id: lease?.id, seq: lease?.seq })),
});
const kinds = (verdicts: readonly { kind: string }[]) => verdicts.map(({ kind }) => kind);

const openingOf = (epoch: number, unprotectedEpoch: number | undefined, lapsedAtMs: number) => ({
  epoch,
  region: REGION,
  openedBy: 'the test',
  policy: POLICY,
  lapsedAtMs,
  unprotected: unprotectedEpoch === undefined ? undefined : { epoch: unprotectedEpoch, since: 'then' },
});
const openingShown = (outcome: { kind: string; unresolvedUntilMs?: unknown }) => ({
  ...outcome,
  unresolvedUntilMs: undefined,
});

const releaseOf = (leaseId: string, claim: LeaseClaim | undefined, poolId: number) => ({
  leaseId,
  controlRoom: undefined,
  endedBy: 'the test',
  end: { kind: 'released' } as const,
  ...(claim ? { proven: { poolId, claim } } : {}),
});

const renewalOf = (leaseId: string, tokenUntilMs: number | undefined) => ({
  leaseId,
  controlRoom: undefined,
  controlRoomState: 'active' as const,
  tokenUntilMs,
});

function poolHead({ heads, epoch, era }: LogState): RememberedEvent {
  const head = heads.find(({ chain }) => chain.startsWith('pool/'));
  if (!head) throw new Error('there is no chain of a pool');
  return { chain: head.chain, seq: head.seq, hash: head.hash, epoch, era, jws: 'signed' };
}

class PostgresUnderTest implements DatabaseUnderTest {
  readonly #database: TestDatabase;
  readonly #license: LicenseDatabase;
  readonly #entitlement: Entitlement;

  constructor(database: TestDatabase, license: LicenseDatabase, entitlement: Entitlement) {
    this.#database = database;
    this.#license = license;
    this.#entitlement = entitlement;
  }

  async grant(requests: readonly GrantRequest[], ackedSeq: number, epoch: number) {
    const follower = { ackedSeq, answersInTime: true };
    const expected = { epoch, region: REGION };
    const batch = { entitlement: this.#entitlement, requests, follower, expected, policy: POLICY };
    return kindOf(await this.#license.leases.grant(batch), grantShown);
  }

  async renew(leaseId: string, tokenUntilMs: number | undefined, epoch: number) {
    const expected = { epoch, region: REGION };
    return kindOf(await this.#license.leases.renew([renewalOf(leaseId, tokenUntilMs)], expected), kinds);
  }

  async release(leaseId: string, claim: LeaseClaim | undefined, epoch: number) {
    const request = releaseOf(leaseId, claim, this.#entitlement.poolId);
    return kindOf(await this.#license.leases.release([request], { epoch, region: REGION }), kinds);
  }

  async expire(epoch: number) {
    return kindOf(await this.#license.leases.expire({ epoch, region: REGION }), () => 'swept');
  }

  async openEpoch(epoch: number, unprotectedEpoch: number | undefined) {
    const { epochs } = this.#license;
    return openingShown(await epochs.open(openingOf(epoch, unprotectedEpoch, await epochs.readClock())));
  }

  async closeEpoch(epoch: number) {
    await this.#database.query('update epoch set closed_at = now() where epoch = $1', [epoch]);
  }

  async endIn(leaseId: string, seconds: number) {
    const set = 'set expires_at = clock_timestamp() + make_interval(secs => $2)';
    await this.#database.query(`update lease ${set} where id = $1 and state = 'live'`, [leaseId, seconds]);
    await this.#database.query(`update queue_place ${set} where lease_id = $1`, [leaseId, seconds]);
  }

  async endWaiting() {
    const set = `update pool set awaited_until = clock_timestamp() - interval '1 s' where awaited_until is not null`;
    await this.#database.query(set);
  }

  rows() {
    return this.#database.as('evergrant_owner', async (client) => {
      const pools = await client.query(`select seats_taken as taken, seats_held_back as held, seats_over as over,
        seats_awaited as awaited, grant_seq::int as seq, queue_seq::int as numbers from pool`);
      const leases = await client.query(`select id, state, seats, seq::int, epoch::int, borrowed,
        must_outlive is not null as doubted from lease order by id`);
      const places = await client.query(
        'select lease_id as id, number::int, seats, identity from queue_place order by lease_id',
      );
      return { pools: pools.rows, leases: leases.rows, places: places.rows };
    });
  }

  async events() {
    const rows = await this.#database.query<{ event: string }>(`
      select event.body ->> 'lease' || ' ' || case kind when 'lease_released' then 'released' when 'lease_expired' then 'expired'
        else 'live' end as event
      from audit_event event where kind like 'lease\\_%' order by event`);
    return rows.map(({ event }) => event);
  }

  async head() {
    return poolHead(await this.#license.audit.state());
  }

  async lose(event: RememberedEvent, epoch: number) {
    const missing = (await this.#license.audit.missingOf([event])).length > 0;
    try {
      return {
        missing,
        verdict: kindOf(await this.#license.audit.declareGap(event, { epoch, region: REGION }), (said) => said),
      };
    } catch (error) {
      if (!(error instanceof DatabaseFailure)) throw error;
      return { missing, verdict: 'refused' };
    }
  }

  async ends() {
    const ms = (column: string) => `extract(epoch from ${column})::float8 * 1000 as ms`;
    const rows = await this.#database.query<{ what: string; ms: number }>(`
      select 'lease ' || id as what, ${ms('expires_at')} from lease where state = 'live'
      union all select 'place ' || lease_id, ${ms('expires_at')} from queue_place
      union all select 'waiting', ${ms('awaited_until')} from pool where awaited_until is not null`);
    return new Map(rows.map(({ what, ms }) => [what, ms]));
  }
}

class ModelUnderTest implements DatabaseUnderTest {
  readonly #server: DatabaseServer;
  readonly #entitlement: Entitlement;

  constructor(entitlement: Entitlement, pool: PoolRow) {
    const virtualClock = new VirtualClock();
    const host = new Host({ name: 'db', place: 'oregon', virtualClock, random: new Random(1) });
    const tables = new Tables();
    tables.apply({ table: 'pool', row: pool });
    this.#server = new DatabaseServer({ host, tables, role: 'primary', position: 1, era: 1 });
    this.#entitlement = entitlement;
  }

  #do<T>(work: (context: statements.StatementContext) => T): T {
    const transaction = new SimulatedTransaction(this.#server.tables, { enforcesConstraint: true });
    const context = { database: this.#server, transaction, nowMs: Date.now(), disabled: NONE };
    const result = work(context);
    this.#server.commit(transaction.writes);
    return result;
  }

  #inEpoch<T>(epoch: number, work: (context: statements.StatementContext) => T): unknown {
    const verdict = statements.isOpen(this.#server, { epoch, region: REGION });
    return verdict.kind === 'open' ? this.#do(work) : verdict;
  }

  async grant(requests: readonly GrantRequest[], ackedSeq: number, epoch: number) {
    const follower = { ackedSeq, answersInTime: true };
    const expected = { epoch, region: REGION };
    const batch = { entitlement: this.#entitlement, requests, follower, expected, policy: POLICY };
    return this.#inEpoch(epoch, (context) => grantShown(statements.grant(context, batch) as Granted));
  }

  async renew(leaseId: string, tokenUntilMs: number | undefined, epoch: number) {
    const expected = { epoch, region: REGION };
    return this.#inEpoch(epoch, (context) =>
      kinds(statements.renew(context, [renewalOf(leaseId, tokenUntilMs)], expected)),
    );
  }

  async release(leaseId: string, claim: LeaseClaim | undefined, epoch: number) {
    const request = releaseOf(leaseId, claim, this.#entitlement.poolId);
    return this.#inEpoch(epoch, (context) => kinds(statements.release(context, [request])));
  }

  async expire(epoch: number) {
    return this.#inEpoch(epoch, (context) => {
      statements.expire(context);
      return 'swept';
    });
  }

  async openEpoch(epoch: number, unprotectedEpoch: number | undefined) {
    return this.#do((context) =>
      openingShown(statements.openEpoch(context, openingOf(epoch, unprotectedEpoch, context.nowMs))),
    );
  }

  async closeEpoch(epoch: number) {
    this.#do((context) => statements.closeEpoch(context, epoch));
  }

  async endIn(leaseId: string, seconds: number) {
    this.#do(({ transaction, database }) => {
      const expiresAtMs = Date.now() + seconds * 1_000;
      const lease = transaction.lease(leaseId);
      if (lease?.state === 'live') transaction.putLease({ ...lease, expiresAtMs });
      const place = database.tables.places.get(leaseId);
      if (place) transaction.put({ table: 'place', row: { ...place, expiresAtMs } });
    });
  }

  async endWaiting() {
    this.#do(({ transaction }) => {
      const pool = transaction.pool(this.#entitlement.poolId);
      if (pool.unresolvedUntilMs !== undefined) transaction.putPool({ ...pool, unresolvedUntilMs: Date.now() - 1_000 });
    });
  }

  async rows() {
    const { pools, leases, places } = this.#server.tables;
    return {
      pools: [...pools.values()].map(
        ({ seatsTaken, seatsHeldBack, seatsOver, seatsUnresolved, grantSeq, queueSeq }) => ({
          taken: seatsTaken,
          held: seatsHeldBack,
          over: seatsOver,
          awaited: seatsUnresolved,
          seq: grantSeq,
          numbers: queueSeq,
        }),
      ),
      places: [...places.values()]
        .map(({ leaseId, number, seats, identity }) => ({ id: leaseId, number, seats, identity: identity ?? null }))
        .sort((one, other) => (one.id < other.id ? -1 : 1)),
      leases: [...leases.values()]
        .map(({ id, state, seats, seq, epoch, borrowed, mustOutliveMs }) => {
          return { id, state, seats, seq, epoch, borrowed, doubted: mustOutliveMs !== undefined };
        })
        .sort((one, other) => (one.id < other.id ? -1 : 1)),
    };
  }

  async events() {
    const rows = [...this.#server.tables.chains.values()].flat();
    return rows.flatMap(({ about }) => (about.startsWith('lease ') ? about.slice('lease '.length) : [])).sort();
  }

  async head() {
    return poolHead(stateOf(this.#server));
  }

  async lose(event: RememberedEvent, epoch: number) {
    const missing = !isPresent(event, this.#server.tables);
    try {
      const verdict = this.#inEpoch(epoch, ({ database, transaction }) =>
        declareSimulatedGap(event, database, transaction),
      );
      return { missing, verdict };
    } catch (error) {
      if (!(error instanceof ConstraintViolation)) throw error;
      return { missing, verdict: 'refused' };
    }
  }

  async ends() {
    const { leases, places, pools } = this.#server.tables;
    return new Map([
      ...[...leases.values()].flatMap(({ id, state, expiresAtMs }): [string, number][] =>
        state === 'live' ? [[`lease ${id}`, expiresAtMs]] : [],
      ),
      ...[...places.values()].map(({ leaseId, expiresAtMs }): [string, number] => [`place ${leaseId}`, expiresAtMs]),
      ...[...pools.values()].flatMap(({ unresolvedUntilMs }): [string, number][] =>
        unresolvedUntilMs === undefined ? [] : [['waiting', unresolvedUntilMs]],
      ),
    ]);
  }
}

/** The two, with the same pool. */
export class DatabasePair {
  readonly real: DatabaseUnderTest;
  readonly simulated: DatabaseUnderTest;
  readonly entitlement: Entitlement;
  readonly #database: TestDatabase;
  readonly #license: LicenseDatabase;

  static async create(random: Random): Promise<DatabasePair> {
    const database = await TestDatabase.clone();
    const address = database.address('evergrant_server');
    const license = connectLicenseDatabase(address, { server: 'oregon/app-1', followerName: 'virginia_follower' });
    const shape = { seats: random.int(2, 5), overdraft: random.int(0, 1), escrow: random.int(0, 3) };
    const terms = { leaseTtlSeconds: TTL_SECONDS, borrowSecondsMax: BORROW_SECONDS_MAX };
    await database.as('evergrant_owner', (client) =>
      importForTest(client, {
        licenseId: 'lic-1',
        customer: 'Acme',
        product: 'Assembler',
        entitlements: [{ feature: 'studio', ...shape, ...terms }],
      }),
    );
    const [entitlement] = await license.entitlements.find({ product: 'Assembler', feature: 'studio' });
    if (!entitlement) throw new Error('there is no entitlement');
    const simulated = new ModelUnderTest(entitlement, {
      ...shape,
      id: entitlement.poolId,
      leaseTtlMs: TTL_SECONDS * 1_000,
      borrowSecondsMax: BORROW_SECONDS_MAX,
      issue: entitlement.issue,
      seatsTaken: 0,
      seatsHeldBack: 0,
      seatsUnresolved: 0,
      seatsOver: 0,
      unresolvedUntilMs: undefined,
      grantSeq: 0,
      ackedSeq: 0,
      queueSeq: 0,
    });
    return new DatabasePair({ database, license, simulated, entitlement });
  }

  private constructor(made: {
    readonly database: TestDatabase;
    readonly license: LicenseDatabase;
    readonly simulated: ModelUnderTest;
    readonly entitlement: Entitlement;
  }) {
    const { database, license, simulated, entitlement } = made;
    this.real = new PostgresUnderTest(database, license, entitlement);
    this.simulated = simulated;
    this.entitlement = entitlement;
    this.#database = database;
    this.#license = license;
  }

  async drop(): Promise<void> {
    await this.#license.close();
    await this.#database.drop();
  }
}
