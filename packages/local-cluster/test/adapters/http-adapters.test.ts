import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RouterAppProbe } from '@evergrant/controller/probes/app-probe';
import { OperatingError } from '@evergrant/core/operating-error';
import { eventually } from '@evergrant/test-support/eventually';
import pino from 'pino';
import { Alerts } from '../../src/adapters/alerts';
import { DatabaseService } from '../../src/adapters/database-service';
import { PublicAddress } from '../../src/adapters/public-address';
import { Routers } from '../../src/adapters/routers';
import { WitnessView } from '../../src/adapters/witness-view';
import { ProxyServer } from '../../src/proxy/proxy-server';
import { PublicEdge } from '../../src/proxy/public-edge';
import { RegionRouter } from '../../src/proxy/region-router';
import { FakeServer } from '../proxy/fake-server';

const TIMEOUT_MS = 300;
const logger = pino({ level: 'silent' });
const NOWHERE = 'http://127.0.0.1:18299';
const adminToken = 'admin-token';

let dir: string;
const servers: Server[] = [];
const closing: (() => Promise<void>)[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'evergrant-adapters-'));
});

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  rmSync(dir, { recursive: true });
});

async function serving(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const answering = (status: number, body: unknown) =>
  serving((_request, response) => void response.writeHead(status).end(JSON.stringify(body)));

async function router(region: 'oregon' | 'virginia', target: FakeServer): Promise<string> {
  const made = new RegionRouter({
    region,
    targets: [{ name: target.name, url: target.url }],
    aclFile: join(dir, `${region}.json`),
    aclDefault: 'serve',
    regionAddresses: { oregon: 'http://127.0.0.1:8081', virginia: 'http://127.0.0.1:8082' },
    adminToken,
    timeouts: {
      probeEveryMs: 50,
      probeTimeoutMs: 200,
      connectTimeoutMs: 200,
      attemptTimeoutMs: 300,
      totalTimeoutMs: 600,
      livezTimeoutMs: 200,
    },
    logger,
  });
  const service = new ProxyServer({ port: 0, respond: made.respond, logger });
  await service.listen();
  made.start();
  closing.push(async () => {
    await service.close();
    await made.close();
  });
  return `http://127.0.0.1:${service.port}`;
}

async function standIn(name: string): Promise<FakeServer> {
  const made = await new FakeServer(name).start();
  closing.push(() => made.die());
  return made;
}

describe('application probe', () => {
  const probing = (url: string) =>
    new RouterAppProbe({ routers: { oregon: url, virginia: NOWHERE }, timeoutMs: TIMEOUT_MS });
  const reading = async (url: string) => (await probing(url).probe('oregon')).reading;

  it('returns up when a server answers through the router, also behind a fence', async () => {
    const url = await router('oregon', await standIn('oregon/app-1'));
    await eventually('up', async () => (await reading(url)) === 'up');
    await new Routers({
      routers: { oregon: url, virginia: url },
      addresses: { oregon: url, virginia: url },
      adminToken,
      timeoutMs: 500,
    }).fence('oregon', 'virginia');
    expect(await reading(url)).toBe('up');
  });

  it('returns down when the router runs without a live server', async () => {
    const app = await standIn('oregon/app-1');
    const url = await router('oregon', app);
    await app.die();
    await eventually('down', async () => (await reading(url)) === 'down');
  });

  it('returns down when the port is closed', async () => {
    expect(await reading(NOWHERE)).toBe('down');
  });

  it('returns down within the timeout when every GET hangs', async () => {
    const url = await serving(() => undefined);
    const beforeMs = performance.now();
    expect(await reading(url)).toBe('down');
    expect(performance.now() - beforeMs).toBeLessThan(3 * TIMEOUT_MS);
  });

  it('returns down when the connection breaks', async () => {
    expect(await reading(await serving((request) => request.socket.destroy()))).toBe('down');
  });

  it('returns up when one of several GETs succeeds', async () => {
    let asked = 0;
    const url = await serving((_request, response) => {
      asked += 1;
      response.writeHead(asked === 3 ? 200 : 503).end('{}');
    });
    expect(await reading(url)).toBe('up');
  });

  it.each([
    [401, { code: 'unauthorized' }],
    [403, { code: 'forbidden' }],
    [404, { code: 'not_found' }],
    [302, {}],
    [503, { code: 'not_granting' }],
  ])('returns unknown after a %i %j, because the request was wrong', async (status, body) => {
    expect(await reading(await answering(status, body))).toBe('unknown');
  });

  it('returns unknown when the host name cannot be resolved', async () => {
    expect(await reading('http://no-such-host.invalid:80')).toBe('unknown');
  });
});

describe('witness view', () => {
  const asked = async (url: string) =>
    (await new WitnessView({ url, timeoutMs: TIMEOUT_MS, ageMaxMs: 2_000 }).view('oregon')).reading;
  const saying = (reading: string, ageMs: number | null) =>
    answering(200, { app: { reading, because: 'seen' }, observedAt: null, ageMs });

  it.each(['up', 'down', 'unknown'])('returns %s', async (reading) => {
    expect(await asked(await saying(reading, 100))).toBe(reading);
  });

  it('returns unknown for an old, missing or invalid observation', async () => {
    expect(await asked(await saying('down', 2_001))).toBe('unknown');
    expect(await asked(await saying('down', null))).toBe('unknown');
    expect(await asked(await saying('maybe', 1))).toBe('unknown');
    expect(await asked(await answering(500, {}))).toBe('unknown');
  });

  it('returns unknown, never down, when the witness does not answer', async () => {
    expect(await asked(NOWHERE)).toBe('unknown');
    expect(await asked(await serving(() => undefined))).toBe('unknown');
  });

  it('is asked for the region of the question', async () => {
    const paths: (string | undefined)[] = [];
    const url = await serving((request, response) => {
      paths.push(request.url);
      response.end(JSON.stringify({ app: { reading: 'down', because: 'seen' }, ageMs: 1 }));
    });
    const witness = new WitnessView({ url, timeoutMs: TIMEOUT_MS, ageMaxMs: 2_000 });
    expect((await witness.view('virginia')).reading).toBe('down');
    expect(paths).toEqual(['/view/virginia']);
  });
});

describe('routers', () => {
  it('sets and reads the fence', async () => {
    const url = await router('oregon', await standIn('oregon/app-1'));
    const routers = new Routers({
      routers: { oregon: url, virginia: NOWHERE },
      addresses: { oregon: url, virginia: 'http://127.0.0.1:8082' },
      adminToken,
      timeoutMs: 500,
    });
    expect(await routers.acl('oregon')).toEqual({ kind: 'serve' });
    await routers.fence('oregon', 'virginia');
    expect(await routers.acl('oregon')).toEqual({ kind: 'fence', activeRegion: 'virginia' });
    const turnedAway = await fetch(`${url}/v1/pools`);
    expect(turnedAway.status).toBe(503);
    expect(await turnedAway.json()).toMatchObject({ activeRegion: 'virginia', address: 'http://127.0.0.1:8082' });
    await routers.serve('oregon');
    expect(await routers.acl('oregon')).toEqual({ kind: 'serve' });
  });

  it('returns unreachable for a dead router, and fails to fence it with an operating error', async () => {
    const routers = new Routers({
      routers: { oregon: NOWHERE, virginia: await serving(() => undefined) },
      addresses: { oregon: '', virginia: '' },
      adminToken,
      timeoutMs: TIMEOUT_MS,
    });
    expect((await routers.acl('oregon')).kind).toBe('unreachable');
    expect((await routers.acl('virginia')).kind).toBe('unreachable');
    await expect(routers.fence('oregon', 'virginia')).rejects.toBeInstanceOf(OperatingError);
  });

  it('fails to fence without the right token', async () => {
    const url = await router('oregon', await standIn('oregon/app-1'));
    const routers = new Routers({
      routers: { oregon: url, virginia: url },
      addresses: { oregon: url, virginia: url },
      adminToken: 'wrong',
      timeoutMs: 500,
    });
    expect((await routers.acl('oregon')).kind).toBe('unreachable');
    await expect(routers.fence('oregon', 'virginia')).rejects.toThrow('403');
  });
});

describe('public address', () => {
  async function edgeTo(routers: { oregon: string; virginia: string }): Promise<PublicAddress> {
    const edge = new PublicEdge({
      routers,
      targetFile: join(dir, 'target.json'),
      adminToken,
      timeouts: { connectTimeoutMs: 200, totalTimeoutMs: 400 },
      logger,
    });
    const service = new ProxyServer({ port: 0, respond: edge.respond, logger });
    await service.listen();
    closing.push(async () => {
      await service.close();
      await edge.close();
    });
    return new PublicAddress({ edge: `http://127.0.0.1:${service.port}`, adminToken, timeoutMs: 1_000 });
  }

  it('switches the target and returns the public status of the new target', async () => {
    const oregon = await answering(200, {
      region: 'oregon',
      granting: false,
      epoch: 2,
      reason: 'another region is active',
    });
    const virginia = await answering(200, { region: 'virginia', granting: true, epoch: 2 });
    const edge = await edgeTo({ oregon, virginia });
    expect(await edge.target()).toEqual({ kind: 'points_to', region: 'oregon' });
    expect(await edge.outside()).toMatchObject({
      kind: 'not_granting',
      reason: expect.stringContaining('another region'),
    });
    await edge.pointTo('virginia');
    expect(await edge.target()).toEqual({ kind: 'points_to', region: 'virginia' });
    expect(await edge.outside()).toEqual({ kind: 'granting', region: 'virginia', epoch: 2 });
  });

  it('returns not_granting for a dead region, and unreachable for a dead edge', async () => {
    const edge = await edgeTo({ oregon: NOWHERE, virginia: NOWHERE });
    expect((await edge.outside()).kind).toBe('not_granting');
    const dead = new PublicAddress({ edge: NOWHERE, adminToken, timeoutMs: TIMEOUT_MS });
    expect((await dead.target()).kind).toBe('unreachable');
    expect((await dead.outside()).kind).toBe('unreachable');
    await expect(dead.pointTo('virginia')).rejects.toBeInstanceOf(OperatingError);
  });
});

describe('database service', () => {
  const service = (worldApi: string) => new DatabaseService({ worldApi, adminToken, timeoutMs: TIMEOUT_MS });

  it.each([
    ['running', 'running'],
    ['kept', 'archived'],
    ['building', 'building'],
    ['following', 'following'],
  ])('reports %s as %s', async (state, kind) => {
    expect(await service(await answering(200, { region: 'oregon', state })).view('oregon')).toEqual({ kind });
  });

  it('returns the reason of a failed operation', async () => {
    const url = await answering(200, { state: 'failed', because: 'disk full' });
    expect(await service(url).view('oregon')).toEqual({ kind: 'failed', reason: 'disk full' });
  });

  it('returns unreachable for an unknown state and for no answer', async () => {
    expect((await service(await answering(200, { state: 'asleep' })).view('oregon')).kind).toBe('unreachable');
    expect((await service(await answering(404, {})).view('oregon')).kind).toBe('unreachable');
    expect((await service(NOWHERE).view('oregon')).kind).toBe('unreachable');
  });

  it('sends each operation with the token', async () => {
    const orders: string[] = [];
    const url = await serving((request, response) => {
      orders.push(`${request.method} ${request.url} ${request.headers.authorization}`);
      response.writeHead(202).end('{}');
    });
    await service(url).archive('oregon');
    await service(url).follow('virginia');
    expect(orders).toEqual([
      'POST /databases/oregon/keep Bearer admin-token',
      'POST /databases/virginia/follow Bearer admin-token',
    ]);
    await expect(service(await answering(409, { code: 'wrong_state' })).archive('oregon')).rejects.toThrow(
      'wrong_state',
    );
  });
});

describe('alerts', () => {
  const alert = { id: 'a', code: 'withheld', severity: 'critical', text: 'decide', raisedAtMs: 1 } as const;

  it('are appended to a file', async () => {
    const file = join(dir, 'alerts.jsonl');
    await new Alerts(logger, file).send(alert);
    await new Alerts(logger, file).send({ ...alert, id: 'b' });
    const lines = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toEqual([alert, { ...alert, id: 'b' }]);
  });

  it('fail with an operating error when the file cannot be written, so that they are sent again', async () => {
    await expect(new Alerts(logger, join(dir, 'no', 'such', 'folder')).send(alert)).rejects.toBeInstanceOf(
      OperatingError,
    );
  });
});
