import { randomUUID } from 'node:crypto';
import { eventually } from '@evergrant/test-support/eventually';
import { PRODUCT, type RunningServer, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';

let world: TestWorld;
let server: RunningServer;

beforeAll(async () => {
  world = await TestWorld.create();
  server = await world.startGranting();
});

afterAll(() => world.close());

const BODY = { product: PRODUCT, feature: 'runner', seats: 1, holder: 'room-1' };
const path = (): string => `/v1/leases/${randomUUID()}`;

describe('a request that is not valid names the field', () => {
  it.each<[string, object, string]>([
    ['seats zero', { ...BODY, seats: 0 }, 'seats'],
    ['seats negative', { ...BODY, seats: -1 }, 'seats'],
    ['seats a fraction', { ...BODY, seats: 1.5 }, 'seats'],
    ['seats as text', { ...BODY, seats: '1' }, 'seats'],
    ['seats beyond any pool', { ...BODY, seats: 2 ** 31 }, 'seats'],
    ['no seats', { ...BODY, seats: undefined }, 'seats'],
    ['no holder', { ...BODY, holder: undefined }, 'holder'],
    ['an empty holder', { ...BODY, holder: '' }, 'holder'],
    ['a holder with a NUL, which no database stores', { ...BODY, holder: 'a\0b' }, 'holder'],
    ['half a character', { ...BODY, holder: '\ud800' }, 'holder'],
    ['a holder without end', { ...BODY, holder: 'x'.repeat(201) }, 'holder'],
    ['product a number', { ...BODY, product: 7 }, 'product'],
    ['feature null', { ...BODY, feature: null }, 'feature'],
    ['token a number', { ...BODY, token: 7 }, 'token'],
  ])('%s', async (_what, body, field) => {
    const answer = await server.call('PUT', path(), body);
    expect(answer.status).toBe(422);
    expect(answer.headers['content-type']).toBe('application/problem+json');
    expect(answer.body).toMatchObject({ code: 'invalid_request', status: 422, field });
    expect(answer.body.errors.map((error: { field: string }) => error.field)).toContain(field);
  });

  it('and all fields at once', async () => {
    const { body } = await server.call('PUT', path());
    expect(body.errors.map((error: { field: string }) => error.field).sort()).toEqual([
      'feature',
      'holder',
      'product',
      'seats',
    ]);
  });

  it('a lease id that is no UUID', async () => {
    expect(await server.call('PUT', '/v1/leases/17', BODY)).toMatchObject({ status: 422, body: { field: 'leaseId' } });
    expect(await server.call('POST', '/v1/leases/17/heartbeat')).toMatchObject({
      status: 422,
      body: { field: 'leaseId' },
    });
    expect(await server.call('DELETE', '/v1/leases/17')).toMatchObject({ status: 422, body: { field: 'leaseId' } });
  });

  it('a body that is a list', async () => {
    expect(await server.call('PUT', path(), [BODY])).toMatchObject({ status: 422, body: { field: 'body' } });
  });
});

describe('a body', () => {
  const headers = { authorization: `Bearer ${TOKENS.client}`, 'content-type': 'application/json' };

  it('that is not JSON is malformed', async () => {
    const answer = await server.app.inject({ method: 'PUT', url: path(), headers, payload: '{"seats":' });
    expect(answer.statusCode).toBe(400);
    expect(answer.json()).toMatchObject({ code: 'malformed_body' });
  });

  it('may say more than is asked for, and nothing of it counts', async () => {
    const payload = `{"product":"${PRODUCT}","feature":"runner","seats":1,"holder":"room","__proto__":{"seats":9},"x":1}`;
    const answer = await server.app.inject({ method: 'PUT', url: path(), headers, payload });
    expect(answer.statusCode).toBe(201);
  });

  it('that is too large is refused', async () => {
    const answer = await server.app.inject({
      method: 'PUT',
      url: path(),
      headers,
      payload: JSON.stringify({ x: 'x'.repeat(20_000) }),
    });
    expect(answer.statusCode).toBe(413);
    expect(answer.json()).toMatchObject({ code: 'body_too_large' });
  });

  it('of another type is refused', async () => {
    const answer = await server.app.inject({
      method: 'PUT',
      url: path(),
      headers: { ...headers, 'content-type': 'text/xml' },
      payload: '<a/>',
    });
    expect(answer.statusCode).toBe(415);
    expect(answer.json()).toMatchObject({ code: 'unsupported_media_type' });
  });

  it('that is null is none of the allowed', async () => {
    const answer = await server.app.inject({ method: 'DELETE', url: path(), headers, payload: 'null' });
    expect(answer.json()).toMatchObject({ status: 422, code: 'invalid_request' });
  });

  it('may be empty where nothing is needed, whatever its type says', async () => {
    const answer = await server.app.inject({ method: 'DELETE', url: path(), headers, payload: '' });
    expect(answer.json()).toMatchObject({ code: 'lease_not_found' });
  });
});

describe('access', () => {
  const tokens: Record<string, string | null> = { ...TOKENS, none: null, wrong: 'wrong-token-of-the-tests' };
  const calls: Record<string, () => Parameters<RunningServer['call']>> = {
    checkout: () => ['PUT', path(), { ...BODY, seats: 1_000_000 }],
    heartbeat: () => ['POST', `${path()}/heartbeat`],
    release: () => ['DELETE', path()],
    'force release': () => ['DELETE', path(), { reason: 'the host is gone' }],
    pools: () => ['GET', '/v1/pools'],
    leases: () => ['GET', '/v1/leases'],
    queue: () => ['GET', '/v1/queue'],
    lease: () => ['GET', path()],
  };

  it.each<[string, Record<string, number>]>([
    ['checkout', { client: 409, reader: 403, admin: 403, none: 401, wrong: 401 }],
    ['heartbeat', { client: 404, reader: 403, admin: 403, none: 401, wrong: 401 }],
    ['release', { client: 404, reader: 403, admin: 422, none: 401, wrong: 401 }],
    ['force release', { client: 403, reader: 403, admin: 404, none: 401, wrong: 401 }],
    ['pools', { client: 200, reader: 200, admin: 200, none: 401, wrong: 401 }],
    ['leases', { client: 403, reader: 200, admin: 200, none: 401, wrong: 401 }],
    ['queue', { client: 403, reader: 200, admin: 200, none: 401, wrong: 401 }],
    ['lease', { client: 403, reader: 404, admin: 404, none: 401, wrong: 401 }],
  ])('to %s', async (call, expected) => {
    for (const [who, status] of Object.entries(expected)) {
      const [method, url, body] = calls[call]!();
      const answer = await server.call(method, url, body, tokens[who]);
      expect([who, answer.status]).toEqual([who, status]);
      if (status === 401) expect(answer.headers['www-authenticate']).toBe('Bearer');
    }
  });

  it('does not reveal validation errors to an unauthenticated caller', async () => {
    expect((await server.call('PUT', '/v1/leases/17', {}, null)).status).toBe(401);
  });

  it.each(['/livez', '/readyz', '/startupz', '/metrics', '/v1/status', '/.well-known/jwks.json', '/openapi.json'])(
    'to %s needs no token',
    async (url) => {
      expect((await server.call('GET', url, undefined, null)).status).toBe(200);
    },
  );
});

it.each<['GET' | 'PUT' | 'POST' | 'DELETE', string, string]>([
  ['POST', '/v1/leases/17', 'DELETE, GET, HEAD, PUT'],
  ['DELETE', '/v1/pools', 'GET, HEAD'],
  ['PUT', '/livez', 'GET, HEAD'],
  ['GET', '/v1/leases/17/heartbeat', 'POST'],
])('answers %s %s with the methods that this address takes', async (method, url, allow) => {
  const answer = await server.call(method, url, undefined, null);
  expect(answer).toMatchObject({ status: 405, body: { code: 'method_not_allowed' }, headers: { allow } });
});

it('answers an unknown address with a problem document', async () => {
  expect(await server.call('GET', '/v2/anything')).toMatchObject({ status: 404, body: { code: 'not_found' } });
});

it('says its role', async () => {
  const { body } = await server.call('GET', '/v1/status', undefined, null);
  expect(body).toEqual({ region: 'oregon', server: 'oregon/app-1', granting: true, epoch: 1, activeRegion: 'oregon' });
});

it('describes itself as OpenAPI 3.1, every route and code', async () => {
  const { body } = await server.call('GET', '/openapi.json', undefined, null);
  expect(body.openapi).toBe('3.1.0');
  expect(Object.keys(body.paths).sort()).toEqual(
    [
      '/.well-known/jwks.json',
      '/livez',
      '/metrics',
      '/readyz',
      '/startupz',
      '/v1/api-tokens',
      '/v1/api-tokens/{name}',
      '/v1/audit/checkpoints',
      '/v1/audit/events',
      '/v1/audit/heads',
      '/v1/control-rooms',
      '/v1/control-rooms/{controlRoom}',
      '/v1/control-rooms/{controlRoom}/group',
      '/v1/control-rooms/{controlRoom}/heartbeat',
      '/v1/control-rooms/{controlRoom}/offline-response',
      '/v1/control-rooms/{controlRoom}/offline-return',
      '/v1/control-rooms/{controlRoom}/recovery',
      '/v1/control-rooms/{controlRoom}/tokens',
      '/v1/leases/',
      '/v1/leases/{leaseId}',
      '/v1/leases/{leaseId}/heartbeat',
      '/v1/licenses',
      '/v1/licenses/{licenseId}',
      '/v1/pools',
      '/v1/queue',
      '/v1/reservations',
      '/v1/reports/denials',
      '/v1/reports/holders',
      '/v1/reports/usage',
      '/v1/session',
      '/v1/status',
    ]
      .map((url) => (url === '/v1/leases/' ? '/v1/leases' : url))
      .sort(),
  );
  const put = body.paths['/v1/leases/{leaseId}'].put;
  expect(Object.keys(put.responses).sort()).toEqual([
    '201',
    '202',
    '400',
    '401',
    '403',
    '404',
    '409',
    '410',
    '413',
    '414',
    '415',
    '422',
    '429',
    '503',
  ]);
  expect(put.responses['409'].description).toContain('no_seat_available');
  expect(put.responses['409'].content).toHaveProperty(['application/problem+json']);
  expect(put.security).toEqual([{ bearer: [] }]);
});

it('counts what it does, for Prometheus', async () => {
  await server.call('PUT', path(), BODY);
  await server.call('PUT', path(), { ...BODY, seats: 1_000_000 });
  const scrape = () => server.call('GET', '/metrics', undefined, null);
  expect((await scrape()).headers['content-type']).toContain('text/plain');
  const wanted = [
    'evergrant_grants_total{how="new"} ',
    'evergrant_denials_total{code="no_seat_available"} ',
    'evergrant_batch_size_count{verb="checkout"} ',
    'evergrant_granting 1',
    'evergrant_epoch 1',
    'evergrant_pool_seats{license="lic-1",product="Assembler",feature="runner",kind="total"} 100000',
    'process_cpu_seconds_total ',
  ];
  const missing = async () => {
    const { body } = await scrape();
    return wanted.filter((name) => !body.includes(name));
  };
  // The pools are looked at by the sweeper.
  await eventually('the pools are shown', async () => (await missing()).length === 0).catch(() => undefined);
  expect(await missing()).toEqual([]);
});

describe('reading', () => {
  it('shows every pool with its counts', async () => {
    await server.call('PUT', path(), { ...BODY, feature: 'studio', seats: 4 });
    const { body } = await server.call('GET', '/v1/pools', undefined, TOKENS.reader);
    expect(body.pools.map((pool: { feature: string }) => pool.feature)).toEqual(['mayfly', 'runner', 'studio']);
    expect(body.pools[2]).toEqual({
      licenseId: 'lic-1',
      customer: 'Acme',
      product: PRODUCT,
      feature: 'studio',
      seats: 10,
      overdraft: 0,
      seatsTaken: 4,
      seatsHeldBack: 0,
      seatsFree: 6,
      seatsReserved: 0,
      seatsCountedTwice: 0,
      heldBackUntil: null,
      leases: 1,
      queueLength: 0,
      grantSeq: 4,
      escrow: 3,
      leaseTtlSeconds: 600,
    });
  });

  it('pages through who holds what', async () => {
    const holder = `pager-${randomUUID()}`;
    const ids = Array.from({ length: 5 }, () => randomUUID()).sort();
    for (const id of ids) await server.call('PUT', `/v1/leases/${id}`, { ...BODY, holder });
    const seen: string[] = [];
    let query = `holder=${holder}&limit=2`;
    for (let page = 1; page <= 3; page++) {
      const { body } = await server.call('GET', `/v1/leases?${query}`, undefined, TOKENS.reader);
      seen.push(...body.leases.map((lease: { leaseId: string }) => lease.leaseId));
      if (body.nextCursor) query = `holder=${holder}&limit=2&cursor=${body.nextCursor}`;
    }
    expect(seen).toEqual(ids);
  });

  it('filters by state, product and feature', async () => {
    const id = randomUUID();
    const holder = `filter-${id}`;
    await server.call('PUT', `/v1/leases/${id}`, { ...BODY, holder });
    await server.call('DELETE', `/v1/leases/${id}`);
    const found = async (query: string) =>
      (await server.call('GET', `/v1/leases?holder=${holder}&${query}`, undefined, TOKENS.admin)).body.leases.length;
    expect(await found('state=live')).toBe(0);
    expect(await found('state=released')).toBe(1);
    expect(await found(`product=${PRODUCT}&feature=runner`)).toBe(1);
    expect(await found('feature=studio')).toBe(0);
  });

  it.each(['limit=0', 'limit=1001', 'limit=x', 'cursor=17', 'state=lost'])('refuses %s', async (query) => {
    const { status, body } = await server.call('GET', `/v1/leases?${query}`, undefined, TOKENS.reader);
    expect([status, body.field]).toEqual([422, query.split('=')[0]]);
  });
});
