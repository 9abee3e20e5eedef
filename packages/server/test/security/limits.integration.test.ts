import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { eventually } from '@evergrant/test-support/eventually';
import { drawToken, giveLicenseKey, newRoom, register } from '@evergrant/test-support/server/control-rooms';
import { PRODUCT, type RunningServer, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';
import { RATE_LIMITS_DEFAULT, type RateLimitPolicy } from '../../src/config/security';

let world: TestWorld;

beforeAll(async () => {
  world = await TestWorld.create();
});

afterAll(() => world.close());

const startWith = (rateLimits: Partial<RateLimitPolicy>) =>
  world.startGranting({ security: { rateLimits: { ...RATE_LIMITS_DEFAULT, ...rateLimits } } });

/** From a separate address, as the proxy in front forwards it. */
async function callFrom(server: RunningServer, address: string, path: string, token: string | null) {
  const answer = await server.app.inject({
    method: 'GET',
    url: path,
    headers: { 'x-forwarded-for': address, ...(token === null ? {} : { authorization: `Bearer ${token}` }) },
  });
  return { status: answer.statusCode, headers: answer.headers, body: answer.json() };
}

describe('rate limit of a caller', () => {
  it('is reported with limit and retry time', async () => {
    const server = await startWith({ perToken: 5 });
    const answers = [];
    for (let n = 0; n < 8; n++) answers.push(await server.call('GET', '/v1/leases', undefined, TOKENS.reader));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 429, 429, 429]);
    expect(answers[0]?.headers).toMatchObject({ 'ratelimit-limit': '5', 'ratelimit-remaining': '4' });
    const last = answers.at(-1);
    expect(last?.body).toMatchObject({ code: 'rate_limited', status: 429 });
    expect(last?.headers['content-type']).toBe('application/problem+json');
    const retryAfter = Number(last?.headers['retry-after']);
    expect(retryAfter).toBeGreaterThanOrEqual(1);
    expect(retryAfter).toBeLessThanOrEqual(60);
    // The others have what is theirs.
    expect((await server.call('GET', '/v1/pools', undefined, TOKENS.admin)).status).toBe(200);
    const { body } = await server.call('GET', '/metrics', undefined, null);
    expect(body).toContain('evergrant_rate_limited_total{limit="token"} 3');
  });

  it('counts a Control Room over all its tokens', async () => {
    const server = await startWith({ perControlRoom: 3 });
    const room = newRoom();
    await register(server, room, await giveLicenseKey(world));
    const second = drawToken();
    const { sha256Of } = await import('../../src/api-tokens/api-token-verifier');
    const body = { name: 'second', scopes: ['lease', 'read'], tokenSha256: sha256Of(second), controlRoom: room.guid };
    expect((await server.call('POST', '/v1/api-tokens', body, TOKENS.admin)).status).toBe(201);
    const statuses = [];
    for (const token of [room.token, second, room.token, second]) {
      statuses.push((await server.call('GET', '/v1/pools', undefined, token)).status);
    }
    expect(statuses).toEqual([200, 200, 200, 429]);
  });

  it('counts an address over all callers, except health checks', async () => {
    const server = await startWith({ perAddress: 4 });
    const statuses = [];
    for (const path of ['/v1/status', '/v1/nowhere', '/v1/status', '/metrics', '/v1/status']) {
      statuses.push((await callFrom(server, '203.0.113.9', path, null).catch(() => ({ status: 200 }))).status);
    }
    expect(statuses).toEqual([200, 404, 200, 200, 429]);
    for (let n = 0; n < 20; n++) expect((await callFrom(server, '203.0.113.9', '/livez', null)).status).toBe(200);
    expect((await callFrom(server, '203.0.113.10', '/v1/status', null)).status).toBe(200);
  });
});

describe('rate limit of a fleet behind one address', () => {
  it('is not affected by one client with a wrong token', async () => {
    const server = await startWith({ refusalsPerAddress: 10 });
    const from = (token: string) => callFrom(server, '203.0.113.20', '/v1/pools', token);
    expect((await from(TOKENS.client)).status).toBe(200);
    const statuses = [];
    for (let n = 0; n < 15; n++) statuses.push((await from(`a-wrong-token-${n}-of-somebody`)).status);
    expect(statuses.filter((status) => status === 401)).toHaveLength(10);
    expect(statuses.at(-1)).toBe(429);
    expect((await from(TOKENS.client)).status).toBe(200);
    // Another address is another address.
    expect((await callFrom(server, '203.0.113.21', '/v1/pools', 'a-wrong-token-of-somebody-else')).status).toBe(401);
  });

  it('allows the morning peak with the default limits', async () => {
    const server = await startWith({});
    const statuses = new Set<number>();
    for (let turn = 0; turn < 60; turn++) {
      const together = Array.from({ length: 50 }, (_, n) =>
        callFrom(server, '203.0.113.30', n % 10 ? '/v1/status' : '/v1/pools', TOKENS.client),
      );
      for (const { status } of await Promise.all(together)) statuses.add(status);
    }
    expect(statuses).toEqual(new Set([200]));
  });
});

describe('rate limit of license keys', () => {
  it('blocks an address after too many wrong keys, also for the right key', async () => {
    const server = await startWith({ licenseKeyAttemptsPerAddress: 3 });
    const licenseKey = await giveLicenseKey(world);
    expect((await register(server, newRoom(), licenseKey)).status).toBe(201);
    const statuses = [];
    for (let n = 0; n < 4; n++) statuses.push((await register(server, newRoom(), randomUUID())).status);
    expect(statuses).toEqual([403, 403, 403, 429]);
    const late = await register(server, newRoom(), licenseKey);
    expect(late).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
    expect(Number(late.headers['retry-after'])).toBeGreaterThanOrEqual(1);
  });

  it('allows many registrations with the right key', async () => {
    const server = await startWith({ licenseKeyAttemptsPerAddress: 3 });
    const licenseKey = await giveLicenseKey(world);
    for (let n = 0; n < 10; n++) expect((await register(server, newRoom(), licenseKey)).status).toBe(201);
  });
});

describe('connections', () => {
  /** Opens a connection, sends the text, and returns the time until the server closed it, and the answer. */
  function abandoned(port: number, sent: string): Promise<{ tookMs: number; said: string }> {
    return new Promise((resolve) => {
      const startedAt = performance.now();
      let said = '';
      const socket = connect(port, '127.0.0.1', () => socket.write(sent));
      socket.on('data', (chunk) => {
        said += chunk;
      });
      socket.on('error', () => undefined);
      socket.on('close', () => resolve({ tookMs: performance.now() - startedAt, said }));
    });
  }

  it('without a complete request are closed', async () => {
    const server = await startWith({});
    const port = Number(new URL(server.address).port);
    const [silent, halfHead, halfBody] = await Promise.all([
      abandoned(port, ''),
      abandoned(port, 'GET /livez HTTP/1.1\r\nhost: x\r\n'),
      abandoned(port, `PUT /v1/leases/${randomUUID()} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{`),
    ]);
    for (const { tookMs } of [silent, halfHead, halfBody]) expect(tookMs).toBeLessThan(20_000);
    expect(halfHead.said).toContain('408');
  }, 40_000);

  it('beyond the maximum are dropped and counted', async () => {
    const server = await world.startGranting({ security: { connectionsMax: 2 } });
    const port = Number(new URL(server.address).port);
    const sockets = [1, 2].map(() => connect(port, '127.0.0.1'));
    await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    const accepted = () =>
      new Promise<boolean>((resolve) => server.app.server.getConnections((_, count) => resolve(count === 2)));
    await eventually('both are accepted', accepted);
    const third = await abandoned(port, 'GET /livez HTTP/1.1\r\nhost: x\r\n\r\n');
    expect(third.said).toBe('');
    for (const socket of sockets) socket.destroy();
    await eventually('there is room again', () =>
      fetch(`${server.address}/livez`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    const { body } = await server.call('GET', '/metrics', undefined, null);
    expect(body).toMatch(/evergrant_connections_dropped_total [1-9]/);
  });
});

describe('answers', () => {
  const HEADERS = {
    'content-security-policy': "default-src 'none';frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
  };

  it('have security headers', async () => {
    const server = await startWith({});
    const body = { product: PRODUCT, feature: 'studio', seats: 1, holder: 'x' };
    for (const answer of [
      await server.call('GET', '/v1/status', undefined, null),
      await server.call('GET', '/v1/pools', undefined, null),
      await server.call('GET', '/nowhere', undefined, null),
      await server.call('PUT', `/v1/leases/${randomUUID()}`, body),
    ]) {
      expect(answer.headers).toMatchObject(HEADERS);
      expect(answer.headers).not.toHaveProperty('x-powered-by');
      expect(answer.headers).not.toHaveProperty('server');
      // Without TLS there is nothing to insist on.
      expect(answer.headers).not.toHaveProperty('strict-transport-security');
    }
  });
});
