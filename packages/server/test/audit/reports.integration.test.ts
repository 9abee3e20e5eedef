import { randomUUID } from 'node:crypto';
import {
  allEvents,
  auditedDatabase,
  poolChain,
  statement,
  takeSeats,
  verified,
} from '@evergrant/test-support/server/audit';
import type { TestDatabase } from '@evergrant/test-support/test-database';
import fc from 'fast-check';
import { READ_DENIALS } from '../../src/audit/sql/read-reports';
import { connectLicenseDatabase } from '../../src/platform/postgres/license-database';

/**
 * What reports say of days that have passed. Time is moved by writing events as the database does, at moments of the
 * test's choice, so the SQL is held against a count by hand.
 */
let database: TestDatabase;
let license: ReturnType<typeof connectLicenseDatabase>;
let studio: string;

beforeEach(async () => {
  database = await auditedDatabase();
  license = connectLicenseDatabase(database.address('evergrant_server'), {
    server: 'oregon/app-1',
    followerName: 'none',
  });
  studio = await poolChain(database, 'studio');
});

afterEach(async () => {
  await license.close();
  await database.drop();
});

const at = (day: number, hour: number, minute = 0): Date => new Date(Date.UTC(2026, 2, day, hour, minute));

/** Counts seats as `audit_append` does, at a moment. */
async function count(chain: string, moment: Date, peak: number, last: number): Promise<void> {
  await statement(database, 'evergrant_owner', 'select audit_count_usage($1, $2, $3, $4)', [chain, moment, peak, last]);
}

const usage = (since: string, until: string) => license.audit.usage({ since, until });

describe('usage', () => {
  beforeEach(() => statement(database, 'evergrant_owner', 'delete from audit_usage'));

  it('weights seats by time, and carries them over midnight and idle days', async () => {
    await count(studio, at(2, 6), 4, 4);
    await count(studio, at(2, 12), 10, 8);
    await count(studio, at(4, 12), 8, 0);
    const told = (await usage('2026-03-01', '2026-03-05')).filter(({ chain }) => chain === studio);
    expect(told.map(({ day, seatsPeak, seatsAverage }) => [day, seatsPeak, seatsAverage])).toEqual([
      // From 6 to 12 four, from 12 on eight.
      ['2026-03-02', 10, (6 * 4 + 12 * 8) / 24],
      ['2026-03-03', 8, 8],
      ['2026-03-04', 8, 4],
      ['2026-03-05', 0, 0],
    ]);
    expect(told[0]).toMatchObject({ licenseId: 'lic-1', product: 'Assembler', feature: 'studio', seats: 10 });
  });

  it('counts the seats of the previous day as a peak', async () => {
    await count(studio, at(2, 23), 9, 9);
    await count(studio, at(3, 0, 1), 8, 0);
    const [second] = (await usage('2026-03-03', '2026-03-03')).filter(({ chain }) => chain === studio);
    expect(second).toMatchObject({ seatsPeak: 9, seatsAverage: expect.closeTo(9 / 24 / 60, 2) });
  });

  it('agrees with a naive model', async () => {
    const steps = fc.array(
      fc.record({ minutes: fc.integer({ min: 0, max: 3_000 }), taken: fc.integer({ min: 0, max: 50 }) }),
      { minLength: 1, maxLength: 25 },
    );
    await fc.assert(
      fc.asyncProperty(steps, async (drawn) => {
        await statement(database, 'evergrant_owner', 'delete from audit_usage');
        let minute = 0;
        const events = drawn.map(({ minutes, taken }) => {
          minute += minutes;
          return { minute, taken };
        });
        for (const { minute: when, taken } of events) await count(studio, at(1, 0, when), taken, taken);
        const last = Math.floor(minute / 1_440) + 1;
        const until = `2026-${String(3 + Math.floor(last / 30)).padStart(2, '0')}-01`;
        const told = (await usage('2026-02-27', until)).filter(({ chain }) => chain === studio);
        expect(told.slice(0, last).map(({ seatsPeak, seatsAverage }) => [seatsPeak, seatsAverage])).toEqual(
          byHand(events)
            .slice(0, told.length)
            .slice(0, last)
            .map(([peak, average]) => [peak, expect.closeTo(average, 2)]),
        );
      }),
      { numRuns: 15 },
    );
  });

  /** Minute by minute: how many seats are taken in each, and the most that were on the way there. */
  function byHand(events: readonly { minute: number; taken: number }[]): [number, number][] {
    const days: [number, number][] = [];
    let taken = 0;
    for (let day = 0; day <= Math.floor(events.at(-1)!.minute / 1_440); day += 1) {
      const minutes = Array.from({ length: 1_440 }, (_, minute) => {
        const now = events.filter((event) => event.minute === day * 1_440 + minute).map((event) => event.taken);
        const peak = Math.max(taken, ...now);
        taken = now.at(-1) ?? taken;
        return { peak, taken };
      });
      days.push([
        Math.max(...minutes.map(({ peak }) => peak)),
        minutes.reduce((sum, minute) => sum + minute.taken, 0) / 1_440,
      ]);
    }
    return days.slice(Math.floor(events[0]!.minute / 1_440));
  }

  it('matches the events of the day', async () => {
    await takeSeats(database, [2, 3, 4]);
    await statement(
      database,
      'evergrant_server',
      `update lease set state = 'released', ended_at = now() where seats = 3`,
    );
    await takeSeats(database, [1]);
    const today = new Date().toISOString().slice(0, 10);
    const [told] = (await usage(today, today)).filter(({ chain }) => chain === studio);
    expect(told).toMatchObject({ day: today, seatsPeak: 9 });
    expect(told!.seatsAverage).toBeLessThanOrEqual(9);
    expect((await verified(await allEvents(database))).findings).toEqual([]);
  });

  it('leaves out future days, pools without events, and other licenses on request', async () => {
    await count(studio, at(2, 6), 4, 4);
    expect(await usage('2099-01-01', '2099-01-02')).toEqual([]);
    expect(await usage('2026-02-01', '2026-02-28')).toEqual([]);
    expect(await license.audit.usage({ since: '2026-03-02', until: '2026-03-02', licenseId: 'another' })).toEqual([]);
  });
});

describe('denials', () => {
  it('are counted by pool, day and code', async () => {
    const pool = Number(studio.split('/')[1]);
    const deny = (...codes: string[]) =>
      statement(database, 'evergrant_server', 'select evergrant_audit_denials($1, $2)', [
        pool,
        JSON.stringify(codes.map((code) => ({ code, seats: 2, lease: randomUUID() }))),
      ]);
    await deny('no_seat_available', 'no_seat_available', 'lease_conflict');
    await deny('no_seat_available');
    const day = new Date().toISOString().slice(0, 10);
    expect(await license.audit.denials({ since: '2026-01-01', until: day })).toEqual([
      {
        day,
        chain: studio,
        licenseId: 'lic-1',
        product: 'Assembler',
        feature: 'studio',
        code: 'lease_conflict',
        denials: 1,
        seatsAsked: 2,
      },
      {
        day,
        chain: studio,
        licenseId: 'lic-1',
        product: 'Assembler',
        feature: 'studio',
        code: 'no_seat_available',
        denials: 3,
        seatsAsked: 6,
      },
    ]);
    expect(await license.audit.denials({ since: '2026-01-01', until: '2026-01-31' })).toEqual([]);
    expect(await license.audit.denials({ since: day, until: day, licenseId: 'another' })).toEqual([]);
  });
});

it('denials: many are reported without reading their events', async () => {
  const [batches, ofEach] = [80, 500];
  await statement(
    database,
    'evergrant_server',
    `select evergrant_audit_denials($1, (
       select jsonb_agg(jsonb_build_object('code', 'no_seat_available', 'seats', 3, 'holder', 'room-' || n))
       from generate_series(1, $2::int) as n))
     from generate_series(1, $3::int)`,
    [Number(studio.split('/')[1]), ofEach, batches],
  );
  await database.query('analyze');
  const day = new Date().toISOString().slice(0, 10);
  const seen = batches * ofEach;
  expect(await license.audit.denials({ since: '2026-01-01', until: day })).toMatchObject([
    { chain: studio, denials: seen, seatsAsked: 3 * seen },
  ]);
  const range = ['2026-01-01', day, null];
  const explained = await database.query(`explain (format json) ${READ_DENIALS}`, range);
  const plan = JSON.stringify(explained);
  expect(plan).toContain('audit_denials');
  expect(plan).not.toContain('audit_event');
});

describe('holders', () => {
  const now = async () => (await database.query<{ at: Date }>('select clock_timestamp() as at'))[0]!.at.toISOString();
  const holding = async (moment: string) =>
    (await license.audit.holders({ at: moment, limit: 1_000 })).map(({ leaseId }) => leaseId).sort();
  const release = (id: string) =>
    statement(database, 'evergrant_server', `update lease set state = 'released', ended_at = now() where id = $1`, [
      id,
    ]);

  it('include ended and current leases of the instant', async () => {
    const before = await now();
    const [kept, given] = (await takeSeats(database, [1, 2])) as [string, string];
    const during = await now();
    await release(given);
    const [late] = (await takeSeats(database, [3])) as [string];
    const after = await now();
    expect(await holding(before)).toEqual([]);
    expect(await holding(during)).toEqual([kept, given].sort());
    expect(await holding(after)).toEqual([kept, late].sort());
    const [told] = (await license.audit.holders({ at: during, limit: 10 })).filter(({ leaseId }) => leaseId === given);
    expect(told).toMatchObject({ holder: 'room-2', seats: 2, feature: 'studio', ended: 'lease_released' });
    expect(told!.from <= during && during < told!.until!).toBe(true);
  });

  it('are found for any duration', async () => {
    const lengths = [0, 1, 2, 3, 1_000, 1_024, 65_536, 3_600_000, 86_400_000, 40 * 86_400_000, 400 * 86_400_000];
    const ids = (await takeSeats(
      database,
      lengths.map(() => 1),
      { feature: 'runner' },
    )) as string[];
    for (const [index, length] of lengths.entries()) {
      await database.query(
        `update lease set granted_at = clock_timestamp() - make_interval(secs => $2) where id = $1`,
        [ids[index], length / 1_000],
      );
    }
    const granted = await database.query<{ id: string; at: Date }>('select id, granted_at as at from lease');
    for (const id of ids) await release(id);
    for (const { id, at: from } of granted) {
      expect(await holding(new Date(from.getTime() + 1).toISOString())).toContain(id);
      expect(await holding(new Date(from.getTime() - 2).toISOString())).not.toContain(id);
    }
  });

  it('are paged by lease id, and limited to a license on request', async () => {
    const ids = (await takeSeats(database, Array(7).fill(1))).sort();
    const moment = await now();
    const first = await license.audit.holders({ at: moment, limit: 4 });
    const rest = await license.audit.holders({ at: moment, limit: 4, after: first.at(-1)!.leaseId });
    expect([...first, ...rest].map(({ leaseId }) => leaseId)).toEqual(ids);
    expect(await license.audit.holders({ at: moment, limit: 4, licenseId: 'another' })).toEqual([]);
  });

  it('include a lease whose row was deleted', async () => {
    const [lease] = (await takeSeats(database, [1])) as [string];
    const moment = await now();
    await database.query('delete from lease');
    expect(await holding(moment)).toEqual([lease]);
  });
});
