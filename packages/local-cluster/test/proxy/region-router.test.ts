import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitUntil } from '@evergrant/drills/eventually';
import pino from 'pino';
import { ProxyServer } from '../../src/proxy/proxy-server';
import { RegionRouter, type RegionRouterOptions } from '../../src/proxy/region-router';
import { ROUTER_TIMEOUTS, type RouterTimeouts } from '../../src/proxy/timeouts';
import { FakeServer } from './fake-server';

/** Timeouts that no test reaches, however slow the machine is. A test about a timeout shortens that one. */
const UNREACHED_TIMEOUTS: RouterTimeouts = {
  probeEveryMs: 50,
  probeTimeoutMs: 20_000,
  connectTimeoutMs: 20_000,
  attemptTimeoutMs: 60_000,
  totalTimeoutMs: 120_000,
  livezTimeoutMs: 60_000,
};
/** Short probes, for servers that hang. A live server would have to be silent for 2 s twice to be found down. */
const SHORT_PROBES: RouterTimeouts = { ...UNREACHED_TIMEOUTS, probeTimeoutMs: 2_000 };
const ADMIN = { authorization: 'Bearer admin-token' };
const ADDRESSES = { oregon: 'http://127.0.0.1:8081', virginia: 'http://127.0.0.1:8082' };
jest.setTimeout(60_000);

const WITHIN_MS = 15_000;
const logger = pino({ level: 'silent' });

describe('region router', () => {
  let dir: string;
  let servers: FakeServer[];
  const running: { router: RegionRouter; service: ProxyServer }[] = [];

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'evergrant-router-'));
    servers = await Promise.all([1, 2, 3].map((number) => new FakeServer(`oregon/app-${number}`).start()));
  });

  afterEach(async () => {
    for (const { router, service } of running.splice(0)) {
      await service.close();
      await router.close();
    }
    await Promise.all(servers.map((server) => server.die()));
    rmSync(dir, { recursive: true });
  });

  async function start(options: Partial<RegionRouterOptions> = {}): Promise<string> {
    const router = new RegionRouter({
      region: 'oregon',
      targets: servers.map(({ name, url }) => ({ name, url })),
      aclFile: join(dir, 'acl.json'),
      aclDefault: 'serve',
      regionAddresses: ADDRESSES,
      adminToken: 'admin-token',
      timeouts: UNREACHED_TIMEOUTS,
      logger,
      ...options,
    });
    const service = new ProxyServer({ port: 0, respond: router.respond, logger });
    await service.listen();
    router.start();
    running.push({ router, service });
    return `http://127.0.0.1:${service.port}`;
  }

  async function readings(base: string): Promise<Record<string, string>> {
    const response = await fetch(`${base}/_router/targets`, { headers: ADMIN });
    const targets = (await response.json()) as { name: string; reading: string }[];
    return Object.fromEntries(targets.map(({ name, reading }) => [name, reading]));
  }

  const allUp = (base: string) =>
    waitUntil('all servers are up', WITHIN_MS, async () =>
      Object.values(await readings(base)).every((reading) => reading === 'up'),
    );

  async function setAcl(base: string, acl: unknown): Promise<Response> {
    return fetch(`${base}/_router/acl`, { method: 'PUT', headers: ADMIN, body: JSON.stringify(acl) });
  }

  const checkout = (base: string) => fetch(`${base}/v1/leases/lease-1`, { method: 'PUT', body: '{"seats":1}' });

  describe('forwarding', () => {
    it('forwards method, path, query, body and headers, and adds via and x-forwarded-for', async () => {
      const base = await start();
      const response = await fetch(`${base}/v1/leases/a%20b?x=1&y=%2F`, {
        method: 'PUT',
        headers: { 'x-forwarded-for': '203.0.113.7', 'content-type': 'application/json', authorization: 'Bearer t' },
        body: '{"feature":"größe"}',
      });
      const echo = (await response.json()) as {
        method: string;
        url: string;
        body: string;
        headers: Record<string, string>;
      };
      expect(response.status).toBe(200);
      expect(echo).toMatchObject({ method: 'PUT', url: '/v1/leases/a%20b?x=1&y=%2F', body: '{"feature":"größe"}' });
      expect(echo.headers).toMatchObject({
        authorization: 'Bearer t',
        'content-type': 'application/json',
        'x-forwarded-for': '203.0.113.7, 127.0.0.1',
        via: '1.1 oregon-router',
      });
      expect(response.headers.get('via')).toBe('1.1 oregon-router');
    });

    it('distributes requests over idle servers', async () => {
      const base = await start();
      await allUp(base);
      for (let count = 0; count < 9; count += 1) await checkout(base);
      expect(servers.map(({ requests }) => requests.length)).toEqual([3, 3, 3]);
    });

    it('refuses a body of more than 1 MiB without forwarding it', async () => {
      const base = await start();
      const response = await fetch(`${base}/v1/leases/big`, { method: 'PUT', body: 'x'.repeat(1024 * 1024 + 1) });
      expect(response.status).toBe(413);
      expect(await response.json()).toMatchObject({ code: 'body_too_large' });
      expect(servers.flatMap(({ requests }) => requests)).toEqual([]);
    });
  });

  describe('retries', () => {
    it('loses no request when a server dies under load', async () => {
      const base = await start();
      await allUp(base);
      const statuses: number[] = [];
      let stop = false;
      const clients = Array.from({ length: 20 }, async () => {
        while (!stop) statuses.push((await checkout(base)).status);
      });
      await waitUntil('the load runs', WITHIN_MS, () => statuses.length > 100);
      await servers[0]?.die();
      const atDeath = statuses.length;
      await waitUntil('the load continues', WITHIN_MS, () => statuses.length > atDeath + 200);
      stop = true;
      await Promise.all(clients);
      expect(new Set(statuses)).toEqual(new Set([200]));
    });

    it('sends a request to another server when the attempt times out', async () => {
      const timeouts = { ...UNREACHED_TIMEOUTS, probeEveryMs: 60_000, attemptTimeoutMs: 2_000 };
      const base = await start({ timeouts });
      await allUp(base);
      (servers[1] as FakeServer).behavior = 'half-dead';
      const answers = await Promise.all(Array.from({ length: 12 }, () => checkout(base)));
      expect(answers.map(({ status }) => status)).toEqual(Array(12).fill(200));
      expect(servers[1]?.requests.length).toBeGreaterThan(0);
    });

    it('sends requests to another server when the probes find theirs down, and then avoids it', async () => {
      const base = await start({ timeouts: SHORT_PROBES });
      await allUp(base);
      const hung = servers[1] as FakeServer;
      hung.behavior = 'hangs';
      const startedAtMs = performance.now();
      const answers = await Promise.all(Array.from({ length: 12 }, () => checkout(base)));
      expect(performance.now() - startedAtMs).toBeLessThan(SHORT_PROBES.attemptTimeoutMs);
      expect(answers.map(({ status }) => status)).toEqual(Array(12).fill(200));
      expect(hung.requests.length).toBeGreaterThan(0);
      await waitUntil(
        'the hung server is down',
        WITHIN_MS,
        async () => (await readings(base))['oregon/app-2'] === 'down',
      );
      const received = hung.requests.length;
      expect((await checkout(base)).status).toBe(200);
      expect(hung.requests).toHaveLength(received);
    });

    it('sends a request to another server when a server breaks the connection', async () => {
      const base = await start();
      await allUp(base);
      for (const server of servers.slice(0, 2)) server.behavior = 'breaks';
      expect((await checkout(base)).status).toBe(200);
      expect((await checkout(base)).status).toBe(200);
    });

    it('still forwards when every probe times out but the servers answer', async () => {
      const base = await start({ timeouts: { ...UNREACHED_TIMEOUTS, probeTimeoutMs: 200 } });
      for (const server of servers) server.behavior = 'overloaded';
      await waitUntil('all are down', WITHIN_MS, async () =>
        Object.values(await readings(base)).every((reading) => reading === 'down'),
      );
      expect((await checkout(base)).status).toBe(200);
    });

    it('makes only one attempt when all servers are down and hang', async () => {
      const base = await start({ timeouts: { ...UNREACHED_TIMEOUTS, probeTimeoutMs: 200, attemptTimeoutMs: 500 } });
      for (const server of servers) server.behavior = 'hangs';
      await waitUntil('all are down', WITHIN_MS, async () =>
        Object.values(await readings(base)).every((reading) => reading === 'down'),
      );
      expect((await checkout(base)).status).toBe(504);
      expect(servers.flatMap(({ requests }) => requests)).toHaveLength(1);
    });

    it('finds a server up again after its restart', async () => {
      const base = await start();
      await servers[0]?.die();
      await waitUntil('down', WITHIN_MS, async () => (await readings(base))['oregon/app-1'] === 'down');
      await servers[0]?.start();
      await waitUntil('up again', WITHIN_MS, async () => (await readings(base))['oregon/app-1'] === 'up');
    });
  });

  describe('with live servers whose database hangs', () => {
    it('answers 504 server_timeout and does not count the servers as down', async () => {
      const base = await start({ timeouts: { ...UNREACHED_TIMEOUTS, attemptTimeoutMs: 600, totalTimeoutMs: 2_500 } });
      await allUp(base);
      for (const server of servers) server.behavior = 'half-dead';
      const answers = await Promise.all(Array.from({ length: 10 }, () => checkout(base)));
      for (const answer of answers) {
        expect(answer.status).toBe(504);
        expect(answer.headers.get('retry-after')).toBe('1');
        expect(await answer.json()).toMatchObject({
          code: 'server_timeout',
          activeRegion: 'oregon',
          address: ADDRESSES.oregon,
        });
      }
      expect((await fetch(`${base}/livez`)).status).toBe(200);
      expect(Object.values(await readings(base))).not.toContain('down');
    });
  });

  it('returns the 503 not_protected of a server that waited for its acknowledgement limit', async () => {
    const base = await start({ timeouts: ROUTER_TIMEOUTS.default });
    await allUp(base);
    for (const server of servers) Object.assign(server, { behavior: 'not-protected', answerAfterMs: 5_200 });
    const response = await checkout(base);
    expect([response.status, await response.json()]).toEqual([503, expect.objectContaining({ code: 'not_protected' })]);
    expect(servers.flatMap(({ requests }) => requests)).toHaveLength(1);
  });

  describe('/livez', () => {
    it('is 200 while one server is live, although the others hang', async () => {
      const base = await start();
      await allUp(base);
      for (const server of servers.slice(0, 2)) server.behavior = 'hangs';
      const startedAtMs = performance.now();
      expect((await fetch(`${base}/livez`)).status).toBe(200);
      expect(performance.now() - startedAtMs).toBeLessThan(UNREACHED_TIMEOUTS.livezTimeoutMs);
    });

    it('is 503 when all servers hang, and when all are dead', async () => {
      const base = await start({ timeouts: { ...UNREACHED_TIMEOUTS, livezTimeoutMs: 800 } });
      for (const server of servers) server.behavior = 'hangs';
      const hung = await fetch(`${base}/livez`);
      expect(hung.status).toBe(503);
      expect(await hung.json()).toMatchObject({ code: 'no_server_available' });
      await Promise.all(servers.map((server) => server.die()));
      expect((await fetch(`${base}/livez`)).status).toBe(503);
    });

    it('also asks servers that were down a moment ago', async () => {
      const base = await start({ timeouts: { ...UNREACHED_TIMEOUTS, probeEveryMs: 60_000 } });
      await Promise.all(servers.map((server) => server.die()));
      expect((await checkout(base)).status).toBe(503);
      await servers[2]?.start();
      expect((await fetch(`${base}/livez`)).status).toBe(200);
    });
  });

  it('answers 503 no_server_available with Retry-After when all servers are dead', async () => {
    const base = await start();
    await Promise.all(servers.map((server) => server.die()));
    const response = await checkout(base);
    expect(response.status).toBe(503);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toMatchObject({
      code: 'no_server_available',
      status: 503,
      region: 'oregon',
      activeRegion: 'oregon',
      address: ADDRESSES.oregon,
    });
  });

  it('names the active region of its last ACL when no server answers', async () => {
    const base = await start();
    await Promise.all(servers.map((server) => server.die()));
    const status = async () => (await fetch(`${base}/v1/status`)).json();
    await setAcl(base, { acl: 'fence', activeRegion: 'virginia' });
    expect(await status()).toMatchObject({
      code: 'no_server_available',
      activeRegion: 'virginia',
      address: ADDRESSES.virginia,
    });
    await setAcl(base, { acl: 'serve', activeRegion: null });
    expect(await status()).toMatchObject({ code: 'no_server_available', activeRegion: null, address: null });
  });

  describe('with servers that do not grant', () => {
    it('tries one other server when its own region is active', async () => {
      const base = await start();
      await allUp(base);
      for (const server of servers.slice(0, 2)) server.behavior = 'not-granting';
      const statuses = new Set<number>();
      for (let count = 0; count < 9; count += 1) statuses.add((await checkout(base)).status);
      const asked = servers.map(({ requests }) => requests.length).reduce((sum, count) => sum + count, 0);
      expect(statuses).toEqual(new Set([200, 503]));
      expect(asked).toBeGreaterThan(9);
      expect(asked).toBeLessThanOrEqual(18);
    });

    it('returns the answer unchanged when another region is active', async () => {
      const base = await start();
      await allUp(base);
      for (const server of servers) server.behavior = 'elsewhere';
      const response = await checkout(base);
      expect(response.status).toBe(503);
      expect(await response.json()).toMatchObject({ code: 'not_granting', activeRegion: 'virginia' });
      expect(servers.flatMap(({ requests }) => requests)).toHaveLength(1);
    });
  });

  describe('fence', () => {
    const fence = { acl: 'fence', activeRegion: 'virginia' };

    it('answers every request with the active region, except probes and status', async () => {
      const base = await start();
      await setAcl(base, fence);
      for (const [method, path] of [
        ['PUT', '/v1/leases/1'],
        ['POST', '/v1/leases/1/heartbeat'],
        ['DELETE', '/v1/leases/1'],
        ['GET', '/v1/pools'],
        ['POST', '/v1/status'],
        ['GET', '/livez/'],
        ['GET', '//livez'],
        ['GET', '/v1/status/../pools'],
      ] as const) {
        const response = await fetch(`${base}${path}`, { method });
        expect([path, response.status]).toEqual([path, 503]);
        expect(response.headers.get('retry-after')).toBe('1');
        expect(await response.json()).toMatchObject({
          code: 'not_granting',
          activeRegion: 'virginia',
          address: ADDRESSES.virginia,
        });
      }
      expect(servers.flatMap(({ requests }) => requests)).toEqual([]);
      for (const path of ['/livez', '/readyz', '/v1/status']) expect((await fetch(base + path)).status).toBe(200);
    });

    it('persists across a restart', async () => {
      await setAcl(await start(), fence);
      const again = await start({ aclDefault: 'serve' });
      expect((await checkout(again)).status).toBe(503);
      expect(await (await fetch(`${again}/_router/acl`, { headers: ADMIN })).json()).toEqual({
        ...fence,
        activeAddress: ADDRESSES.virginia,
      });
    });

    it('is set when the ACL file is invalid', async () => {
      writeFileSync(join(dir, 'acl.json'), '{"acl":"ser');
      expect((await checkout(await start({ aclDefault: 'serve' }))).status).toBe(503);
    });

    it('is removed by the ACL serve', async () => {
      const base = await start({ aclDefault: 'fence' });
      expect((await checkout(base)).status).toBe(503);
      expect((await setAcl(base, { acl: 'serve', activeRegion: 'oregon' })).status).toBe(200);
      expect((await checkout(base)).status).toBe(200);
    });

    it('is on disk before the answer', async () => {
      const base = await start();
      await setAcl(base, fence);
      expect(JSON.parse(readFileSync(join(dir, 'acl.json'), 'utf8'))).toMatchObject({ acl: 'fence' });
    });
  });

  describe('administration', () => {
    it('requires the administrator token', async () => {
      const base = await start();
      const body = JSON.stringify({ acl: 'fence', activeRegion: 'virginia' });
      const noToken = await fetch(`${base}/_router/acl`, { method: 'PUT', body });
      const wrongToken = await fetch(`${base}/_router/acl`, {
        method: 'PUT',
        body,
        headers: { authorization: 'Bearer x' },
      });
      expect([noToken.status, wrongToken.status]).toEqual([401, 403]);
      expect((await checkout(base)).status).toBe(200);
    });

    it('names the invalid field', async () => {
      const base = await start();
      for (const [field, acl] of [
        ['acl', { acl: 'off' }],
        ['activeRegion', { acl: 'fence', activeRegion: 'atlantis' }],
        ['activeAddress', { acl: 'fence', activeRegion: 'virginia', activeAddress: 7 }],
      ] as const) {
        const response = await setAcl(base, acl);
        expect(response.status).toBe(422);
        expect(await response.json()).toMatchObject({ code: 'invalid_request', field });
      }
    });

    it('is never forwarded to a server', async () => {
      const base = await start();
      expect((await fetch(`${base}/_anything`, { headers: ADMIN })).status).toBe(404);
      expect(servers.flatMap(({ requests }) => requests)).toEqual([]);
    });
  });
});
