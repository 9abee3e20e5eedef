import { randomUUID } from 'node:crypto';
import { DatabaseServer } from '../../../local/simulator/database/database-server';
import { type PoolRow, Tables, Transaction } from '../../../local/simulator/database/tables';
import * as verbs from '../../../local/simulator/database/verbs';
import { Host } from '../../../local/simulator/places/host';
import { NOTHING_LEFT_OUT } from '../../../local/simulator/rules';
import { Clockwork } from '../../../local/simulator/time/clockwork';
import { Random } from '../../../local/simulator/time/random';
import type { Entitlement } from '../../../server/core/entitlement';
import type { GrantRequest } from '../../../server/core/grant';
import type { LeaseClaim } from '../../../server/core/lease';
import type { PlaceClaim } from '../../../server/core/queue';
import type { LicenseDatabase } from '../../../server/ports';
import { connectLicenseDatabase } from '../../../server/postgres/license-database';
import { importForTest } from '../../server/support/test-licenses';
import { TestDatabase } from '../../support/test-database';

/**
 * The simulated database against the real one: the same history, drawn from a seed, asked of both; every answer and every
 * row must be the same. Time passes by rows: a lease, or the waiting for unknown grants, is over when the history says so.
 */
const SEEDS = [1, 2, 3, 4, 5, 6];
const STEPS = 60;
/** So long that what an opening adds to the ends of leases and places can be told from the time that a history takes. */
const POLICY = { authorityLeaseMs: 300_000, skewMs: 120_000 };
/** Each of the two looks at its clock when it is asked. */
const CLOCKS_DIFFER_MS_MAX = 14_000;
const TTL_SECONDS = 600;
const BORROW_SECONDS_MAX = 3_600;
const REGION = 'oregon';

jest.setTimeout(300_000);

/** What both are asked alike, and what each has made of it. */
interface Twin {
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

const openingOf = (epoch: number, unprotectedEpoch: number | undefined) => ({
  ...{ epoch, region: REGION, openedBy: 'the test', policy: POLICY, lapsedAgoMs: 0 },
  unprotected: unprotectedEpoch === undefined ? undefined : { epoch: unprotectedEpoch, since: 'then' },
});
const openingShown = (outcome: { kind: string; awaitedUntilMs?: unknown }) => ({
  ...outcome,
  awaitedUntilMs: undefined,
});

const releaseOf = (leaseId: string, claim: LeaseClaim | undefined, poolId: number) => ({
  ...{ leaseId, controlRoom: undefined, endedBy: 'the test', end: { kind: 'released' } as const },
  ...(claim ? { proven: { poolId, claim } } : {}),
});

const renewalOf = (leaseId: string, tokenUntilMs: number | undefined) => ({
  ...{ leaseId, controlRoom: undefined, controlRoomState: 'active' as const, tokenUntilMs },
});

class RealTwin implements Twin {
  readonly #database: TestDatabase;
  readonly #license: LicenseDatabase;
  readonly #entitlement: Entitlement;

  constructor(database: TestDatabase, license: LicenseDatabase, entitlement: Entitlement) {
    this.#database = database;
    this.#license = license;
    this.#entitlement = entitlement;
  }

  async grant(requests: readonly GrantRequest[], ackedSeq: number, epoch: number) {
    const follower = { ackedSeq, streaming: true };
    const expected = { epoch, region: REGION };
    const batch = { entitlement: this.#entitlement, requests, follower, expected, policy: POLICY };
    return kindOf(await this.#license.grant(batch), grantShown);
  }

  async renew(leaseId: string, tokenUntilMs: number | undefined, epoch: number) {
    const expected = { epoch, region: REGION };
    return kindOf(await this.#license.renew([renewalOf(leaseId, tokenUntilMs)], expected), kinds);
  }

  async release(leaseId: string, claim: LeaseClaim | undefined, epoch: number) {
    const request = releaseOf(leaseId, claim, this.#entitlement.poolId);
    return kindOf(await this.#license.release([request], { epoch, region: REGION }), kinds);
  }

  async expire(epoch: number) {
    return kindOf(await this.#license.expire({ epoch, region: REGION }), () => 'swept');
  }

  async openEpoch(epoch: number, unprotectedEpoch: number | undefined) {
    return openingShown(await this.#license.openEpoch(openingOf(epoch, unprotectedEpoch)));
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

  async rows() {
    const pools = await this.#database.query(`select seats_taken as taken, seats_held_back as held, seats_over as over,
      seats_awaited as awaited, grant_seq::int as seq, queue_seq::int as numbers from pool`);
    const leases = await this.#database.query(`select id, state, seats, seq::int, epoch::int, borrowed,
      must_outlive is not null as doubted from lease order by id`);
    const places = await this.#database.query(
      'select lease_id as id, number::int, seats, identity from queue_place order by lease_id',
    );
    return { pools, leases, places };
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

class SimulatedTwin implements Twin {
  readonly #server: DatabaseServer;
  readonly #entitlement: Entitlement;

  constructor(entitlement: Entitlement, pool: PoolRow) {
    const clockwork = new Clockwork();
    const host = new Host({ name: 'db', place: 'oregon', clockwork, random: new Random(1) });
    const tables = new Tables();
    tables.apply({ table: 'pool', row: pool });
    this.#server = new DatabaseServer({ host, tables, role: 'primary', position: 1 });
    this.#entitlement = entitlement;
  }

  #do<T>(work: (verb: verbs.Verb) => T): T {
    const transaction = new Transaction(this.#server.tables, { lastDefence: true });
    const verb = { database: this.#server, transaction, nowMs: Date.now(), without: NOTHING_LEFT_OUT };
    const result = work(verb);
    this.#server.commit(transaction.writes);
    return result;
  }

  #inEpoch<T>(epoch: number, work: (verb: verbs.Verb) => T): unknown {
    const verdict = verbs.isOpen(this.#server, { epoch, region: REGION });
    return verdict.kind === 'open' ? this.#do(work) : verdict;
  }

  async grant(requests: readonly GrantRequest[], ackedSeq: number, epoch: number) {
    const follower = { ackedSeq, streaming: true };
    const expected = { epoch, region: REGION };
    const batch = { entitlement: this.#entitlement, requests, follower, expected, policy: POLICY };
    return this.#inEpoch(epoch, (verb) => grantShown(verbs.grant(verb, batch) as Granted));
  }

  async renew(leaseId: string, tokenUntilMs: number | undefined, epoch: number) {
    const expected = { epoch, region: REGION };
    return this.#inEpoch(epoch, (verb) => kinds(verbs.renew(verb, [renewalOf(leaseId, tokenUntilMs)], expected)));
  }

  async release(leaseId: string, claim: LeaseClaim | undefined, epoch: number) {
    const request = releaseOf(leaseId, claim, this.#entitlement.poolId);
    return this.#inEpoch(epoch, (verb) => kinds(verbs.release(verb, [request])));
  }

  async expire(epoch: number) {
    return this.#inEpoch(epoch, (verb) => {
      verbs.expire(verb);
      return 'swept';
    });
  }

  async openEpoch(epoch: number, unprotectedEpoch: number | undefined) {
    return this.#do((verb) => openingShown(verbs.openEpoch(verb, openingOf(epoch, unprotectedEpoch))));
  }

  async closeEpoch(epoch: number) {
    this.#do((verb) => verbs.closeEpoch(verb, epoch));
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
      if (pool.awaitedUntilMs !== undefined) transaction.putPool({ ...pool, awaitedUntilMs: Date.now() - 1_000 });
    });
  }

  async rows() {
    const { pools, leases, places } = this.#server.tables;
    return {
      pools: [...pools.values()].map(({ seatsTaken, seatsHeldBack, seatsOver, seatsAwaited, grantSeq, queueSeq }) => ({
        ...{ taken: seatsTaken, held: seatsHeldBack, over: seatsOver, awaited: seatsAwaited, seq: grantSeq },
        numbers: queueSeq,
      })),
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

  async ends() {
    const { leases, places, pools } = this.#server.tables;
    return new Map([
      ...[...leases.values()].flatMap(({ id, state, expiresAtMs }): [string, number][] =>
        state === 'live' ? [[`lease ${id}`, expiresAtMs]] : [],
      ),
      ...[...places.values()].map(({ leaseId, expiresAtMs }): [string, number] => [`place ${leaseId}`, expiresAtMs]),
      ...[...pools.values()].flatMap(({ awaitedUntilMs }): [string, number][] =>
        awaitedUntilMs === undefined ? [] : [['waiting', awaitedUntilMs]],
      ),
    ]);
  }
}

/** What lives in one of them only, or ends there at another time. */
function differingEnds(one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): string[] {
  return [...new Set([...one.keys(), ...other.keys()])]
    .map((what) => ({ what, ms: (one.get(what) ?? 0) - (other.get(what) ?? 0) }))
    .filter(({ ms }) => Math.abs(ms) > CLOCKS_DIFFER_MS_MAX)
    .map(({ what, ms }) => `${what}: ${Math.round(ms)} ms`);
}

/** What happens next, drawn from a seed: the same call for whichever of the two. */
class History {
  readonly #random: Random;
  readonly #names: Pick<Entitlement, 'licenseId' | 'product' | 'feature'>;
  readonly #leases: string[] = [];
  #epoch = 0;

  constructor(random: Random, names: Pick<Entitlement, 'licenseId' | 'product' | 'feature'>) {
    this.#random = random;
    this.#names = names;
  }

  next(): { name: string; ask: (twin: Twin) => Promise<unknown> } {
    const draw = this.#random.next();
    if (this.#epoch === 0 || draw < 0.06) return this.#opening();
    // An old server may still ask for the epoch before.
    const epoch = this.#random.chance(0.95) ? this.#epoch : this.#epoch - 1;
    const leaseId = this.#lease();
    if (draw < 0.5) {
      const requests = Array.from({ length: this.#random.int(1, 3) }, () => this.#request());
      const ackedSeq = this.#random.int(0, 3);
      return { name: `grant ${JSON.stringify(requests)}`, ask: (twin) => twin.grant(requests, ackedSeq, epoch) };
    }
    if (draw < 0.65) {
      const tokenUntilMs = this.#random.chance(0.5) ? this.#claim(leaseId).expiresAtMs : undefined;
      return { name: `renew ${leaseId} ${tokenUntilMs}`, ask: (twin) => twin.renew(leaseId, tokenUntilMs, epoch) };
    }
    if (draw < 0.8) {
      const claim = this.#random.chance(0.5) ? this.#claim(leaseId) : undefined;
      return { name: `release ${leaseId}`, ask: (twin) => twin.release(leaseId, claim, epoch) };
    }
    if (draw < 0.88) {
      // What ends in a minute is live, and in doubt when an epoch opens.
      const seconds = this.#random.pick([-1, 60]);
      return { name: `${leaseId} ends in ${seconds} s`, ask: (twin) => twin.endIn(leaseId, seconds) };
    }
    if (draw < 0.95) return { name: 'expire', ask: (twin) => twin.expire(epoch) };
    return { name: 'the waiting is over', ask: (twin) => twin.endWaiting() };
  }

  #opening(): { name: string; ask: (twin: Twin) => Promise<unknown> } {
    const closes = this.#epoch > 0 && this.#random.chance(0.3) ? this.#epoch : undefined;
    const unprotected = this.#epoch > 0 && this.#random.chance(0.3) ? this.#epoch : undefined;
    // Now and then an epoch is skipped: it was opened elsewhere. Now and then somebody opens one that is known.
    this.#epoch += this.#epoch === 0 ? 1 : this.#random.pick([0, 1, 1, 1, 2]);
    const epoch = this.#epoch;
    return {
      name: `open ${epoch}${closes ? ` after ${closes} was closed` : ''}`,
      ask: async (twin) => {
        if (closes !== undefined) await twin.closeEpoch(closes);
        return twin.openEpoch(epoch, unprotected);
      },
    };
  }

  #lease(): string {
    if (this.#leases.length === 0 || this.#random.chance(0.3)) this.#leases.push(randomUUID());
    return this.#random.pick(this.#leases.slice(-8));
  }

  #claim(leaseId: string): LeaseClaim {
    const { licenseId, product, feature } = this.#names;
    const minutes = this.#random.pick([-30, -3, 5, 9]);
    return {
      ...{ leaseId, licenseId, product, feature, holder: 'room', controlRoom: undefined, identity: undefined },
      ...{ borrowed: this.#random.chance(0.1), seats: this.#random.int(1, 2), seq: 1 },
      ...{ epoch: Math.max(1, this.#epoch - this.#random.int(0, 1)), expiresAtMs: Date.now() + minutes * 60_000 },
    };
  }

  #placeClaim(leaseId: string, seats: number): PlaceClaim {
    const { licenseId, product, feature } = this.#names;
    return {
      ...{ leaseId, licenseId, product, feature, holder: 'room', controlRoom: undefined, identity: undefined },
      ...{ seats, number: this.#random.int(1, 9) },
      epoch: Math.max(1, this.#epoch - this.#random.int(0, 1)),
      expiresAtMs: Date.now() + this.#random.pick([-1_800_000, -30_000, 30_000]),
    };
  }

  #request(): GrantRequest {
    const leaseId = this.#lease();
    const claim = this.#random.chance(0.5) ? this.#claim(leaseId) : undefined;
    const intent = claim && this.#random.chance(0.5) ? 'adopt' : 'checkout';
    const seats = claim && intent === 'adopt' ? claim.seats : this.#random.int(1, 2);
    const borrows = intent === 'checkout' && this.#random.chance(0.15);
    const queues = intent === 'checkout' && this.#random.chance(0.5);
    return {
      ...{ intent, leaseId, seats, holder: 'room', controlRoom: undefined, controlRoomState: 'active' as const },
      ...{ identity: this.#random.chance(0.3) ? `pc-${this.#random.int(1, 3)}` : undefined, grantedBy: 'the test' },
      ...(claim ? { claim } : {}),
      // The longer one outlasts what an opening extends.
      ...(borrows ? { borrowSeconds: this.#random.pick([900, BORROW_SECONDS_MAX]) } : {}),
      ...(queues ? { queue: true } : {}),
      ...(queues && this.#random.chance(0.3) ? { placeClaim: this.#placeClaim(leaseId, seats) } : {}),
    };
  }
}

let database: TestDatabase;
let license: LicenseDatabase;

beforeEach(async () => {
  database = await TestDatabase.clone();
  license = connectLicenseDatabase(database.address('evergrant_server'), {
    server: 'oregon/app-1',
    followerName: 'virginia_follower',
  });
});

afterEach(async () => {
  await license.close();
  await database.drop();
});

async function newTwins(random: Random): Promise<{ real: Twin; simulated: Twin; entitlement: Entitlement }> {
  const shape = { seats: random.int(2, 5), overdraft: random.int(0, 1), escrow: random.int(0, 3) };
  const terms = { leaseTtlSeconds: TTL_SECONDS, borrowSecondsMax: BORROW_SECONDS_MAX };
  await database.as('evergrant_owner', (client) =>
    importForTest(client, {
      ...{ licenseId: 'lic-1', customer: 'Acme', product: 'Assembler' },
      entitlements: [{ feature: 'studio', ...shape, ...terms }],
    }),
  );
  const [found] = await license.findEntitlements({ product: 'Assembler', feature: 'studio' });
  if (!found) throw new Error('there is no entitlement');
  const simulated = new SimulatedTwin(found, {
    ...{ ...shape, id: found.poolId, leaseTtlMs: TTL_SECONDS * 1_000, borrowSecondsMax: BORROW_SECONDS_MAX },
    ...{ seatsTaken: 0, seatsHeldBack: 0, seatsAwaited: 0, seatsOver: 0, awaitedUntilMs: undefined },
    ...{ grantSeq: 0, ackedSeq: 0, queueSeq: 0 },
  });
  return { real: new RealTwin(database, license, found), simulated, entitlement: found };
}

it.each(SEEDS)('answers as PostgreSQL does, and keeps the same rows (history %i)', async (seed) => {
  const random = new Random(seed);
  const { real, simulated, entitlement } = await newTwins(random);
  const history = new History(random, entitlement);
  const told: string[] = [];
  for (let step = 0; step < STEPS; step++) {
    const { name, ask } = history.next();
    told.push(name);
    const simulatedSays = { told: told.slice(-6), answer: await ask(simulated), rows: await simulated.rows() };
    const realSays = { told: told.slice(-6), answer: await ask(real), rows: await real.rows() };
    expect(simulatedSays).toEqual(realSays);
    const differing = differingEnds(await simulated.ends(), await real.ends());
    expect({ told: told.slice(-6), differing }).toEqual({ told: told.slice(-6), differing: [] });
  }
});
