import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, get, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@evergrant/drills/eventually';
import pino from 'pino';
import { ProxyServer } from '../../src/proxy/proxy-server';
import { PublicEdge } from '../../src/proxy/public-edge';
import { FakeServer } from './fake-server';

const WITHIN_MS = 15_000;
/** Longer than a busy machine forgets a process. */
const TOTAL_TIMEOUT_MS = 3_000;
const ADMIN = { authorization: 'Bearer admin-token' };
const logger = pino({ level: 'silent' });

describe('the edge', () => {
  let dir: string;
  let oregon: FakeServer;
  let virginia: FakeServer;
  const running: { edge: PublicEdge; service: ProxyServer }[] = [];

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'evergrant-edge-'));
    oregon = await new FakeServer('oregon').start();
    virginia = await new FakeServer('virginia').start();
  });

  afterEach(async () => {
    await Promise.all(running.splice(0).map(stop));
    await Promise.all([oregon.die(), virginia.die()]);
    rmSync(dir, { recursive: true });
  });

  async function start(): Promise<string> {
    const edge = new PublicEdge({
      routers: { oregon: oregon.url, virginia: virginia.url },
      targetFile: join(dir, 'target.json'),
      adminToken: 'admin-token',
      timeouts: { connectTimeoutMs: 1_500, totalTimeoutMs: TOTAL_TIMEOUT_MS },
      logger,
    });
    const service = new ProxyServer({ port: 0, respond: edge.respond, logger });
    await service.listen();
    running.push({ edge, service });
    return `http://127.0.0.1:${service.port}`;
  }

  async function stop({ edge, service }: { edge: PublicEdge; service: ProxyServer }): Promise<void> {
    await service.close();
    await edge.close();
  }

  const lead = (base: string, region: unknown) =>
    fetch(`${base}/_edge/target`, { method: 'PUT', headers: ADMIN, body: JSON.stringify({ region }) });

  const checkout = (base: string) => fetch(`${base}/v1/leases/lease-1`, { method: 'PUT', body: '{"seats":1}' });

  const servedBy = async (response: Response): Promise<string | undefined> =>
    ((await response.json()) as { servedBy?: string }).servedBy;

  it('leads to the primary region until it is told otherwise', async () => {
    expect(await servedBy(await checkout(await start()))).toBe('oregon');
  });

  it('remembers where it leads over a restart', async () => {
    await lead(await start(), 'virginia');
    expect(await servedBy(await checkout(await start()))).toBe('virginia');
  });

  it('does not start on a target it cannot understand: guessing would lead traffic anywhere', async () => {
    writeFileSync(join(dir, 'target.json'), '{"region":"atl');
    await expect(start()).rejects.toThrow(/names no region/);
  });

  it('moves a connection that is kept open, with its next request', async () => {
    const base = await start();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = (): Promise<string> =>
      new Promise((resolve, reject) => {
        get(`${base}/v1/pools`, { agent }, (response) => {
          response.resume();
          response.once('end', () => resolve(String(response.headers['x-served-by'])));
        }).once('error', reject);
      });
    expect(await ask()).toBe('oregon');
    await lead(base, 'virginia');
    expect(await ask()).toBe('virginia');
    agent.destroy();
  });

  it('loses no request when it switches under load', async () => {
    const base = await start();
    const answers: { status: number; by: string | undefined }[] = [];
    let stopped = false;
    const clients = Array.from({ length: 20 }, async () => {
      while (!stopped) {
        const response = await checkout(base);
        answers.push({ status: response.status, by: await servedBy(response) });
      }
    });
    await eventually('load runs', WITHIN_MS, () => answers.length > 100);
    await lead(base, 'virginia');
    const atSwitch = answers.length;
    await eventually('load went on', WITHIN_MS, () => answers.length > atSwitch + 200);
    stopped = true;
    await Promise.all(clients);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(answers.slice(-100).map(({ by }) => by))).toEqual(new Set(['virginia']));
  });

  it('answers every request while its region dies under load and the other takes over: a lease or a problem', async () => {
    const base = await start();
    const answers: { status: number; code: string | undefined }[] = [];
    let stopped = false;
    const clients = Array.from({ length: 20 }, async () => {
      while (!stopped) {
        const response = await checkout(base);
        answers.push({ status: response.status, code: ((await response.json()) as { code?: string }).code });
      }
    });
    await eventually('load runs', WITHIN_MS, () => answers.length > 100);
    await oregon.die();
    await eventually('the death is seen', WITHIN_MS, () => answers.some(({ status }) => status === 502));
    await lead(base, 'virginia');
    const atSwitch = answers.length;
    await eventually('load went on', WITHIN_MS, () => answers.length > atSwitch + 200);
    stopped = true;
    await Promise.all(clients);
    for (const { status, code } of answers) {
      if (status !== 200) expect({ status, code }).toEqual({ status: expect.any(Number), code: 'region_unreachable' });
    }
    expect(answers.slice(-100).every(({ status }) => status === 200)).toBe(true);
  });

  it('answers 502 region_unreachable at once when nobody listens there', async () => {
    const base = await start();
    await oregon.die();
    const response = await checkout(base);
    expect(response.status).toBe(502);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toMatchObject({
      code: 'region_unreachable',
      region: 'oregon',
      status: 502,
      activeRegion: 'oregon',
      address: oregon.url,
    });
  });

  it('names the region that it was led to meanwhile, when a request that hung is given up', async () => {
    const base = await start();
    oregon.behavior = 'hangs';
    const underWay = checkout(base);
    await eventually('it hangs', WITHIN_MS, () => oregon.requests.length === 1);
    await lead(base, 'virginia');
    expect(await (await underWay).json()).toMatchObject({
      code: 'region_unreachable',
      region: 'oregon',
      activeRegion: 'virginia',
      address: virginia.url,
    });
  });

  it('answers 504 region_unreachable in time when the region hangs', async () => {
    const base = await start();
    oregon.behavior = 'hangs';
    const startedAtMs = performance.now();
    const response = await checkout(base);
    expect(response.status).toBe(504);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.json()).toMatchObject({
      code: 'region_unreachable',
      activeRegion: 'oregon',
      address: oregon.url,
    });
    expect(performance.now() - startedAtMs).toBeLessThan(TOTAL_TIMEOUT_MS * 2);
  });

  it('serves the other region at once, however many requests hang in the first', async () => {
    const base = await start();
    oregon.behavior = 'hangs';
    const hanging = Array.from({ length: 200 }, () => checkout(base));
    await eventually('they hang', WITHIN_MS, () => oregon.requests.length >= 100);
    await lead(base, 'virginia');
    const startedAtMs = performance.now();
    expect(await servedBy(await checkout(base))).toBe('virginia');
    expect(performance.now() - startedAtMs).toBeLessThan(TOTAL_TIMEOUT_MS);
    for (const response of await Promise.all(hanging)) expect([200, 504]).toContain(response.status);
  });

  it('goes on with a router that was restarted, though its kept connections are dead', async () => {
    const base = await start();
    await Promise.all(Array.from({ length: 5 }, () => checkout(base)));
    await oregon.die();
    await oregon.start();
    const answers = await Promise.all(Array.from({ length: 10 }, () => checkout(base)));
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200));
  });

  it('tries once more when the connection ends with the request on it, and only once', async () => {
    const base = await start();
    oregon.breaksLeft = 1;
    expect((await checkout(base)).status).toBe(200);
    oregon.breaksLeft = 2;
    expect((await checkout(base)).status).toBe(502);
  });

  it('never forwards what begins with /_, and opens its own door to the administrator alone', async () => {
    const base = await start();
    for (const path of ['/_router/acl', '/_router/targets', '/_anything']) {
      expect((await fetch(base + path, { headers: ADMIN })).status).toBe(404);
    }
    expect((await fetch(`${base}/_edge/target`)).status).toBe(401);
    const stranger = { method: 'PUT', headers: { authorization: 'Bearer x' }, body: '{"region":"virginia"}' };
    expect((await fetch(`${base}/_edge/target`, stranger)).status).toBe(403);
    expect(await (await fetch(`${base}/_edge/target`, { headers: ADMIN })).json()).toEqual({
      region: 'oregon',
      sessions: 0,
    });
    expect(oregon.seen).toEqual([]);
  });

  it('refuses a request target that the next server could read differently', async () => {
    const base = await start();
    const { port } = new URL(base);
    const status = await new Promise<number | undefined>((resolve, reject) => {
      httpRequest({ port, host: '127.0.0.1', path: `${oregon.url}/_router/acl` }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .once('error', reject)
        .end();
    });
    expect(status).toBe(400);
    expect(oregon.seen).toEqual([]);
  });

  it('names a region that is none', async () => {
    const response = await lead(await start(), 'atlantis');
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ field: 'region' });
  });

  it('drains: a request that is under way is answered, then nobody listens', async () => {
    const base = await start();
    oregon.behavior = 'hangs';
    const underWay = checkout(base);
    await eventually('it is under way', WITHIN_MS, () => oregon.requests.length === 1);
    const drained = stop(running.splice(0)[0] as (typeof running)[number]);
    expect((await underWay).status).toBe(504);
    await drained;
    await expect(checkout(base)).rejects.toThrow();
  });

  it('shows both regions on the console, the dead one too, and takes nothing of the visitor along', async () => {
    const base = await start();
    await virginia.die();
    const view = await fetch(`${base}/console/status.json`, { headers: { authorization: 'Bearer visitor' } });
    expect(await view.json()).toMatchObject({
      target: 'oregon',
      regions: { oregon: { reachable: true }, virginia: { reachable: false } },
    });
    expect(oregon.seen[0]?.url).toBe('/v1/status');
    expect(oregon.seen[0]?.headers.authorization).toBeUndefined();
    const page = await fetch(`${base}/console`);
    expect(page.headers.get('content-type')).toContain('text/html');
    expect(await page.text()).not.toMatch(/(src|href)=/);
  });
});
