import { randomUUID } from 'node:crypto';
import { eventually } from '@evergrant/test-support/eventually';
import { PRODUCT, type RunningServer, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';

let world: TestWorld;
let oregon: RunningServer;

beforeEach(async () => {
  world = await TestWorld.create();
  oregon = await world.startGranting();
});

afterEach(() => world.close());

interface Held {
  readonly leaseId: string;
  readonly token: string;
  readonly body: { product: string; feature: string; seats: number; holder: string };
}

async function checkout(server: RunningServer, seats = 1, feature = 'studio'): Promise<Held> {
  const leaseId = randomUUID();
  const body = { product: PRODUCT, feature, seats, holder: 'room-1' };
  const answer = await server.call('PUT', `/v1/leases/${leaseId}`, body);
  expect(answer.status).toBe(201);
  return { leaseId, token: answer.body.token, body };
}

/** What the follower never received: as if this row had never been written. */
async function lose({ leaseId }: Held): Promise<void> {
  await world.database.query('delete from lease where id = $1', [leaseId]);
}

/** As if the release had never been written. */
async function loseReleaseOf({ leaseId }: Held): Promise<void> {
  await world.database.query(`update lease set state = 'live', ended_at = null where id = $1`, [leaseId]);
}

/** As if the place had not been taken away when its holder was granted the lease. */
async function standInLine({ leaseId }: Held): Promise<void> {
  await world.database.query(
    `insert into queue_place (lease_id, pool_id, number, holder, seats, requested_by, expires_at)
     select $1, id, 1, 'room-1', 1, 'test', clock_timestamp() from pool where feature = 'studio'`,
    [leaseId],
  );
}

/** Oregon is gone; its database goes on as Virginia's, in epoch 2. */
async function failOver(): Promise<RunningServer> {
  await oregon.stop();
  await world.authority.latch({ epoch: 2, region: 'virginia' });
  await world.authority.open();
  return world.startGranting({ region: 'virginia' });
}

function heartbeat(server: RunningServer, { leaseId, token }: Pick<Held, 'leaseId' | 'token'>) {
  return server.call('POST', `/v1/leases/${leaseId}/heartbeat`, { token });
}

describe('opening an epoch after a loss', () => {
  it('holds back the escrow and extends what a lost heartbeat may have renewed', async () => {
    const known = await checkout(oregon, 2);
    await world.database.query(`update lease set expires_at = clock_timestamp() - interval '1 s' where id = $1`, [
      known.leaseId,
    ]);
    await oregon.stop();
    await world.database.query(`update lease set state = 'live', ended_at = null where id = $1`, [known.leaseId]);
    const virginia = await failOver();

    expect(await world.counts('studio')).toMatchObject({ taken: 2, heldBack: 3 });
    const [lease] = await world.database.query<{ seconds: number }>(
      'select extract(epoch from expires_at - clock_timestamp())::float8 as seconds from lease where id = $1',
      [known.leaseId],
    );
    // TTL 600 s + authority lease 3 s + skew 0.5 s, as the servers of the tests have it.
    expect(lease?.seconds).toBeGreaterThan(600);
    expect(lease?.seconds).toBeLessThanOrEqual(603.5);
    expect(virginia.logLines).toContainEqual(
      expect.objectContaining({
        announce: 'virginia/app-2 opened epoch 2: 1 leases extended, 14 seats held back',
        epoch: 2,
        leasesExtended: 1,
        seatsHeldBack: 14,
      }),
    );
    expect((await heartbeat(virginia, known)).body).toMatchObject({ epoch: 2, servedBy: 'virginia/app-2' });
  });

  describe('of what lasts longer than the extension', () => {
    const WINDOW_OVER = `clock_timestamp() + interval '1 day'`;
    let held: Held;
    let untilMs: number;

    async function endsAtMs(): Promise<number> {
      const [row] = await world.database.query<{ ms: number }>(
        'select extract(epoch from expires_at)::float8 * 1000 as ms from lease where id = $1',
        [held.leaseId],
      );
      return row?.ms ?? Number.NaN;
    }

    beforeEach(async () => {
      held = await checkout(oregon);
      await world.database.query(`update lease set borrowed = true, expires_at = ${WINDOW_OVER}`);
      untilMs = await endsAtMs();
    });

    it('adds the skew, for its holder counts by the clock of the lost region', async () => {
      await failOver();
      // As the servers of the tests have the skew.
      expect((await endsAtMs()) - untilMs).toBeCloseTo(500, -1);
    });

    it('adds it also at a switchover that loses nothing, because that has two clocks too', async () => {
      await oregon.stop();
      await world.database.as('evergrant_controller', (client) => client.query('select evergrant_close_epoch(1)'));
      const virginia = await failOver();
      expect(await world.counts('studio')).toMatchObject({ heldBack: 0 });
      expect((await endsAtMs()) - untilMs).toBeCloseTo(500, -1);
      // The holder may receive this end, and a repeated request does not extend it.
      expect((await heartbeat(virginia, held)).status).toBe(200);
      expect((await endsAtMs()) - untilMs).toBeCloseTo(500, -1);
    });

    it('adds it beyond the end of the license, which may be reissued while the holder still relies on it', async () => {
      await world.database.as('evergrant_owner', (client) =>
        client.query(`update license set valid_until = (select expires_at from lease)`),
      );
      await failOver();
      expect((await endsAtMs()) - untilMs).toBeCloseTo(500, -1);
    });
  });

  it('happens once, however many servers see it due', async () => {
    await oregon.stop();
    await world.authority.latch({ epoch: 2, region: 'virginia' });
    await world.authority.open();
    const servers = await Promise.all(
      [1, 2, 3].map((n) => world.startGranting({ region: 'virginia', name: `virginia/app-${n}` })),
    );
    const openings = servers
      .flatMap((server) => server.logLines)
      .filter((line) => String(line.announce).includes('opened epoch 2'));
    expect(openings).toHaveLength(1);
    expect(await world.database.query('select epoch::int, region, closed_at from epoch order by 1')).toEqual([
      { epoch: 1, region: 'oregon', closed_at: null },
      { epoch: 2, region: 'virginia', closed_at: null },
    ]);
  });

  describe('of a lease that ran out while the lost region could still decide', () => {
    let virginia: RunningServer;
    let lapsed: Held;
    let silent: Held;

    beforeEach(async () => {
      [lapsed, silent] = [await checkout(oregon), await checkout(oregon)];
      // The follower last heard that it ends in a second; what came after, an end or a heartbeat, is lost.
      await world.database.query(`update lease set expires_at = clock_timestamp() + interval '1 s'`);
      await oregon.stop();
      await world.authority.latch({ epoch: 2, region: 'virginia' });
      await world.authority.open(new Date(Date.now() + 2_000));
      virginia = await world.startGranting({ region: 'virginia' });
    });

    it('believes a token that outlives its last word', async () => {
      expect((await heartbeat(virginia, lapsed)).status).toBe(200);
      expect((await virginia.call('POST', `/v1/leases/${lapsed.leaseId}/heartbeat`, {})).status).toBe(200);
      const again = { ...silent.body, token: silent.token };
      expect((await virginia.call('PUT', `/v1/leases/${silent.leaseId}`, again)).status).toBe(201);
    });

    it('believes nothing else: its seat may have been sold again there', async () => {
      const unproven = await virginia.call('POST', `/v1/leases/${lapsed.leaseId}/heartbeat`, {});
      expect(unproven.body).toMatchObject({ code: 'lease_expired' });
      const again = await virginia.call('PUT', `/v1/leases/${silent.leaseId}`, silent.body);
      expect(again.body).toMatchObject({ code: 'lease_expired' });
      expect(await world.counts('studio')).toMatchObject({ taken: 2 });
    });
  });

  it('sells only what is neither taken nor held back, until the window is over', async () => {
    const virginia = await failOver();
    await checkout(virginia, 7);
    const denied = await virginia.call('PUT', `/v1/leases/${randomUUID()}`, {
      product: PRODUCT,
      feature: 'studio',
      seats: 1,
      holder: 'r',
    });
    expect(denied.body).toMatchObject({ code: 'no_seat_available', seats: 10, seatsFree: 0 });
    await world.database.query('update pool set awaited_until = clock_timestamp()');
    await checkout(virginia, 3);
    expect(await world.counts('studio')).toMatchObject({ taken: 10, heldBack: 0 });
  });

  it('never waits for an unknown grant after an epoch that was closed here', async () => {
    await oregon.stop();
    await world.database.as('evergrant_controller', (client) => client.query('select evergrant_close_epoch(1)'));
    await failOver();
    expect(await world.counts('studio')).toMatchObject({ heldBack: 0 });
  });

  it('still waits when the epoch that was closed here had never been opened', async () => {
    await oregon.stop();
    await world.database.as('evergrant_controller', (client) => client.query('select evergrant_close_epoch(2)'));
    await world.authority.latch({ epoch: 3, region: 'virginia' });
    await world.authority.open();
    await world.startGranting({ region: 'virginia' });
    expect(await world.counts('studio')).toMatchObject({ heldBack: 3 });
  });
});

describe('a lease that was lost with a region', () => {
  it('is adopted by its heartbeat: same id, no new seat', async () => {
    const lost = await checkout(oregon, 2);
    await lose(lost);
    const virginia = await failOver();
    const { status, body } = await heartbeat(virginia, lost);
    expect(status).toBe(200);
    expect(body).toMatchObject({ leaseId: lost.leaseId, epoch: 2 });
    expect(await world.counts('studio')).toMatchObject({ live: 2, taken: 2, heldBack: 1, over: 0 });
    const { body: lease } = await virginia.call('GET', `/v1/leases/${lost.leaseId}`, undefined, TOKENS.reader);
    expect(lease).toMatchObject({ holder: 'room-1', seats: 2, state: 'live', adoptedFromEpoch: 1 });
    expect(virginia.logLines).toContainEqual(
      expect.objectContaining({ audit: 'lease_adopted', leaseId: lost.leaseId, fromEpoch: 1 }),
    );
    await eventually('the adoption is announced', () =>
      virginia.logLines.some((line) => String(line.announce).includes('adopted 1 leases (2 seats)')),
    );
    expect((await virginia.call('GET', '/metrics')).body).toContain('evergrant_adoptions_total 1');
  });

  it('is adopted once, however often it is presented', async () => {
    const lost = await checkout(oregon, 2);
    await lose(lost);
    const virginia = await failOver();
    const answers = await Promise.all(Array.from({ length: 10 }, () => heartbeat(virginia, lost)));
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]));
    expect(await world.counts('studio')).toMatchObject({ live: 2, taken: 2 });
  });

  it('is adopted by a checkout that carries the token', async () => {
    const lost = await checkout(oregon, 3);
    await lose(lost);
    const virginia = await failOver();
    const answer = await virginia.call('PUT', `/v1/leases/${lost.leaseId}`, { ...lost.body, token: lost.token });
    expect(answer.status).toBe(201);
    expect(await world.counts('studio')).toMatchObject({ taken: 3, heldBack: 0 });
  });

  it('is adopted even when the pool counts full, because a release was lost too', async () => {
    const gone = await checkout(oregon, 10);
    await oregon.call('DELETE', `/v1/leases/${gone.leaseId}`);
    const lost = await checkout(oregon, 3);
    await lose(lost);
    await loseReleaseOf(gone);
    const virginia = await failOver();
    expect((await heartbeat(virginia, lost)).status).toBe(200);
    expect(await world.counts('studio')).toMatchObject({ live: 13, taken: 13, over: 3 });
    const pools = async () => (await virginia.call('GET', '/v1/pools', undefined, TOKENS.reader)).body.pools[2];
    expect(await pools()).toMatchObject({ seatsTaken: 10, seatsCountedTwice: 3, seatsFree: 0 });
    // The release comes again: now there are seven free seats, three of ten are held.
    expect((await virginia.call('DELETE', `/v1/leases/${gone.leaseId}`)).status).toBe(204);
    expect(await pools()).toMatchObject({ seatsTaken: 3, seatsCountedTwice: 0, seatsFree: 7 });
  });

  it('is not adopted without its token, nor with that of another lease, nor with a forged one', async () => {
    const lost = await checkout(oregon);
    const other = await checkout(oregon);
    await lose(lost);
    const virginia = await failOver();
    const [header, payload, signature] = lost.token.split('.') as [string, string, string];
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const forged = [header, Buffer.from(JSON.stringify({ ...claims, seats: 5 })).toString('base64url'), signature].join(
      '.',
    );
    for (const token of [undefined, other.token, forged, 'nonsense', '']) {
      const answer = await virginia.call(
        'POST',
        `/v1/leases/${lost.leaseId}/heartbeat`,
        token === undefined ? {} : { token },
      );
      expect([answer.status, answer.body.code]).toEqual([404, 'lease_not_found']);
    }
    expect(await world.counts('studio')).toMatchObject({ taken: 1, heldBack: 3 });
  });

  it('is never adopted once it has been released, even where nobody knew it', async () => {
    const lost = await checkout(oregon);
    await lose(lost);
    const virginia = await failOver();
    const released = await virginia.call('DELETE', `/v1/leases/${lost.leaseId}`, { token: lost.token });
    expect(released.status).toBe(204);
    expect(await heartbeat(virginia, lost)).toMatchObject({ status: 410, body: { code: 'lease_released' } });
    const again = await virginia.call('PUT', `/v1/leases/${lost.leaseId}`, { ...lost.body, token: lost.token });
    expect(again).toMatchObject({ status: 410, body: { code: 'lease_released' } });
    expect(await world.counts('studio')).toMatchObject({ live: 0, taken: 0, heldBack: 3 });
  });

  it('is never adopted once it has been released, even where its holder still stands in line for it', async () => {
    const lost = await checkout(oregon);
    await lose(lost);
    await standInLine(lost);
    const virginia = await failOver();
    const released = await virginia.call('DELETE', `/v1/leases/${lost.leaseId}`, { token: lost.token });
    expect(released.status).toBe(204);
    expect(await heartbeat(virginia, lost)).toMatchObject({ status: 410, body: { code: 'lease_released' } });
    expect(await world.database.query('select from queue_place')).toEqual([]);
  });

  it('leaves the line where its holder still stands in it', async () => {
    const lost = await checkout(oregon);
    await lose(lost);
    await standInLine(lost);
    const virginia = await failOver();
    expect((await heartbeat(virginia, lost)).status).toBe(200);
    expect(await world.database.query('select from queue_place')).toEqual([]);
  });

  it('is not adopted in the epoch that granted it: there it would be known', async () => {
    const lost = await checkout(oregon);
    await lose(lost);
    expect(await heartbeat(oregon, lost)).toMatchObject({ status: 404, body: { code: 'lease_not_found' } });
  });

  it('finds a seat beyond the escrow only while one is free', async () => {
    const first = await checkout(oregon, 3);
    const second = await checkout(oregon, 3);
    await lose(first);
    await lose(second);
    const virginia = await failOver();
    expect((await heartbeat(virginia, first)).status).toBe(200);
    await checkout(virginia, 5);
    expect(await heartbeat(virginia, second)).toMatchObject({ status: 410, body: { code: 'lease_expired' } });
    expect(await world.counts('studio')).toMatchObject({ live: 8, taken: 8 });
  });
});

describe('closing an epoch', () => {
  function close(): Promise<unknown> {
    return world.database.as('evergrant_controller', (client) => client.query('select evergrant_close_epoch(1)'));
  }

  it('stops every write at once, and says why', async () => {
    const held = await checkout(oregon);
    await close();
    for (const answer of [
      await oregon.call('PUT', `/v1/leases/${randomUUID()}`, held.body),
      await heartbeat(oregon, held),
      await oregon.call('DELETE', `/v1/leases/${held.leaseId}`),
    ]) {
      expect(answer).toMatchObject({
        status: 503,
        body: { code: 'not_granting', reason: 'epoch_closed', activeRegion: 'oregon', address: 'http://oregon.test' },
      });
      expect(answer.headers['retry-after']).toBe('1');
    }
    await eventually(
      'the status says so',
      async () => (await oregon.call('GET', '/v1/status')).body.reason === 'epoch_closed',
    );
  });

  it('is a boundary in time: nothing is committed after it, whatever was under way', async () => {
    let closed = false;
    const clients = Array.from({ length: 40 }, async () => {
      while (!closed) {
        const leaseId = randomUUID();
        const { status } = await oregon.call('PUT', `/v1/leases/${leaseId}`, {
          product: PRODUCT,
          feature: 'runner',
          seats: 1,
          holder: 'r',
        });
        if (status === 201) await oregon.call('DELETE', `/v1/leases/${leaseId}`);
      }
    });
    await eventually('there is traffic', async () => (await world.counts('runner')).grantSeq > 50);
    await close();
    const atClosing = await world.database.query(
      'select count(*)::int as leases, (select sum(grant_seq)::int from pool) as seq from lease',
    );
    await eventually('the server has noticed', () => oregon.role.verdict().kind === 'not_granting');
    closed = true;
    await Promise.all(clients);
    expect(
      await world.database.query(
        'select count(*)::int as leases, (select sum(grant_seq)::int from pool) as seq from lease',
      ),
    ).toEqual(atClosing);
  });

  it('waits for a grant that is under way, and only then closes', async () => {
    const waitsFor = (what: string) => async () => {
      const rows = await world.database.as('evergrant_admin', (client) =>
        client.query(
          `select from pg_locks join pg_stat_activity using (pid)
           where not granted and locktype = $1 and datname = current_database()`,
          [what],
        ),
      );
      return rows.rowCount === 1;
    };
    await world.database.as('evergrant_owner', async (client) => {
      await client.query(`begin; select from pool where feature = 'studio' for update`);
      const granting = checkout(oregon);
      await eventually('the grant waits for the pool', waitsFor('transactionid'), { deadlineMs: 1_200 });
      const closing = close();
      await eventually('the closing waits for the grant', waitsFor('advisory'), { deadlineMs: 1_200 });
      await client.query('commit');
      await granting;
      await closing;
    });
    expect(await world.counts('studio')).toMatchObject({ taken: 1 });
  });

  it('is refused for any epoch but the newest', async () => {
    await failOver();
    await expect(close()).rejects.toThrow(/epoch 1 is not the newest epoch: that is 2/);
  });
});
