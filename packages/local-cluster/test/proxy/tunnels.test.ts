import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitUntil } from '@evergrant/drills/eventually';
import pino from 'pino';
import { WebSocket } from 'ws';
import { ProxyServer } from '../../src/proxy/proxy-server';
import { PublicEdge } from '../../src/proxy/public-edge';
import { RegionRouter, type RegionRouterOptions } from '../../src/proxy/region-router';
import type { RouterTimeouts } from '../../src/proxy/timeouts';
import { FakeSessionServer } from './fake-session-server';

/** Timeouts that no test reaches, however slow the machine is. A test about a timeout shortens that one. */
const UNREACHED_TIMEOUTS: RouterTimeouts = {
  probeEveryMs: 50,
  probeTimeoutMs: 20_000,
  connectTimeoutMs: 20_000,
  attemptTimeoutMs: 60_000,
  totalTimeoutMs: 120_000,
  livezTimeoutMs: 60_000,
};
const ADMIN = { authorization: 'Bearer admin-token' };
const ADDRESSES = { oregon: 'http://127.0.0.1:8081', virginia: 'http://127.0.0.1:8082' };
jest.setTimeout(60_000);

const WITHIN_MS = 15_000;
const logger = pino({ level: 'silent' });

let dir: string;
let oregon: FakeSessionServer[];
let virginia: FakeSessionServer[];
const services: ProxyServer[] = [];
const closers: (() => Promise<void>)[] = [];
const sockets: WebSocket[] = [];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'evergrant-tunnels-'));
  oregon = await Promise.all([1, 2, 3].map((number) => new FakeSessionServer(`oregon/app-${number}`).start()));
  virginia = await Promise.all([1].map((number) => new FakeSessionServer(`virginia/app-${number}`).start()));
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  await Promise.all(services.splice(0).map((service) => service.close()));
  await Promise.all(closers.splice(0).map((close) => close()));
  await Promise.all([...oregon, ...virginia].map((server) => server.die()));
  rmSync(dir, { recursive: true });
});

interface Started {
  readonly base: string;
  readonly service: ProxyServer;
}

async function serve(wired: RegionRouter | PublicEdge): Promise<Started> {
  const service = new ProxyServer({ port: 0, respond: wired.respond, upgrade: wired.upgrade, logger });
  await service.listen();
  services.push(service);
  closers.push(() => wired.close());
  return { service, base: `http://127.0.0.1:${service.port}` };
}

async function startRouter(
  region: 'oregon' | 'virginia',
  options: Partial<RegionRouterOptions> = {},
): Promise<Started> {
  const servers = region === 'oregon' ? oregon : virginia;
  const router = new RegionRouter({
    region,
    targets: servers.map(({ name, url }) => ({ name, url })),
    aclFile: join(dir, `${region}-acl.json`),
    aclDefault: 'serve',
    regionAddresses: ADDRESSES,
    adminToken: 'admin-token',
    timeouts: UNREACHED_TIMEOUTS,
    logger,
    ...options,
  });
  router.start();
  return serve(router);
}

function startEdge(routers: Record<'oregon' | 'virginia', string>): Promise<Started> {
  const timeouts = { connectTimeoutMs: 60_000, totalTimeoutMs: 120_000 };
  const targetFile = join(dir, 'target');
  return serve(new PublicEdge({ routers, targetFile, adminToken: 'admin-token', timeouts, logger }));
}

interface Session {
  readonly socket: WebSocket;
  readonly received: string[];
  closed: boolean;
}

/** Resolves after the server's greeting, which contains the server's name. */
async function open(base: string): Promise<Session> {
  const socket = new WebSocket(`${base.replace('http', 'ws')}/v1/session?x=1`, ['evergrant.v1'], {
    headers: { authorization: 'Bearer client-token', 'x-forwarded-for': '203.0.113.7' },
  });
  sockets.push(socket);
  const session: Session = { socket, received: [], closed: false };
  socket.on('message', (text) => session.received.push(String(text)));
  socket.on('close', () => {
    session.closed = true;
  });
  socket.on('error', () => undefined);
  await once(socket, 'open');
  await waitUntil('a greeting', WITHIN_MS, () => session.received.length > 0);
  return session;
}

function refused(base: string, path = '/v1/session'): Promise<{ status: number; body: Record<string, unknown> }> {
  const socket = new WebSocket(`${base.replace('http', 'ws')}${path}`, ['evergrant.v1']);
  sockets.push(socket);
  socket.on('error', () => undefined);
  return new Promise((resolve, reject) => {
    socket.on('open', () => reject(new Error('it was let in')));
    socket.on('unexpected-response', (_request, response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) }),
      );
    });
  });
}

const serverOf = ({ received }: Session): string => (received[0] as string).split(' ')[0] as string;

const gone = (session: Session) => waitUntil('the session is cut', WITHIN_MS, () => session.closed);

const targetsOf = async (base: string): Promise<{ name: string; reading: string; sessions: number }[]> =>
  (await fetch(`${base}/_router/targets`, { headers: ADMIN })).json() as Promise<
    { name: string; reading: string; sessions: number }[]
  >;

const allUp = (base: string) =>
  waitUntil('all servers are up', WITHIN_MS, async () =>
    (await targetsOf(base)).every(({ reading }) => reading === 'up'),
  );

const setAcl = (base: string, acl: string) =>
  fetch(`${base}/_router/acl`, {
    method: 'PUT',
    headers: ADMIN,
    body: JSON.stringify({ acl, activeRegion: 'virginia' }),
  });

describe('region router tunnels', () => {
  it('forwards a WebSocket in both directions and adds via and x-forwarded-for', async () => {
    const { base } = await startRouter('oregon');
    const session = await open(base);
    session.socket.send('a question');
    await waitUntil('an answer', WITHIN_MS, () => session.received.length > 1);
    expect(session.received[1]).toBe(`${serverOf(session)}: a question`);
    expect(session.socket.protocol).toBe('evergrant.v1');
    const [upgrade] = oregon.flatMap(({ upgrades }) => upgrades);
    expect(upgrade?.url).toBe('/v1/session?x=1');
    expect(upgrade?.headers).toMatchObject({
      authorization: 'Bearer client-token',
      'x-forwarded-for': '203.0.113.7, 127.0.0.1',
      via: '1.1 oregon-router',
    });
  });

  it('distributes sessions over the servers and counts them', async () => {
    const { base } = await startRouter('oregon');
    await allUp(base);
    const sessions = [];
    for (let count = 0; count < 9; count += 1) sessions.push(await open(base));
    expect(oregon.map((server) => server.open)).toEqual([3, 3, 3]);
    expect((await targetsOf(base)).map(({ sessions }) => sessions)).toEqual([3, 3, 3]);
    for (const { socket } of sessions) socket.close();
    await waitUntil('none is left', WITHIN_MS, async () =>
      (await targetsOf(base)).every(({ sessions }) => sessions === 0),
    );
    expect(new Set(oregon.flatMap(({ ends }) => ends))).toEqual(new Set([1005]));
  });

  it('cuts only the sessions of a server that dies', async () => {
    const { base } = await startRouter('oregon');
    await allUp(base);
    const sessions = [await open(base), await open(base), await open(base)];
    const [first, ...others] = sessions as [Session, ...Session[]];
    await oregon.find(({ name }) => name === serverOf(first))?.die();
    await gone(first);
    expect(others.map(({ closed }) => closed)).toEqual([false, false]);
    expect(serverOf(await open(base))).not.toBe(serverOf(first));
  });

  it('cuts the sessions of a server that hangs when it is down', async () => {
    const { base } = await startRouter('oregon', { timeouts: { ...UNREACHED_TIMEOUTS, probeTimeoutMs: 500 } });
    await allUp(base);
    const session = await open(base);
    const server = oregon.find(({ name }) => name === serverOf(session));
    if (server) server.behavior = 'hangs';
    await gone(session);
  });

  it('closes the connection to the server without a close frame when the client is gone', async () => {
    const { base } = await startRouter('oregon');
    const session = await open(base);
    session.socket.terminate();
    const server = oregon.find(({ name }) => name === serverOf(session));
    await waitUntil('the server knows', WITHIN_MS, () => server?.ends.length === 1);
    expect(server?.ends).toEqual([1006]);
  });

  it('tries another server when the first does not grant', async () => {
    const { base } = await startRouter('oregon');
    await allUp(base);
    for (const server of oregon.slice(0, 1)) server.behavior = 'not-granting';
    const sessions = [await open(base), await open(base), await open(base), await open(base)];
    expect(new Set(sessions.map(serverOf))).toEqual(new Set(['oregon/app-2', 'oregon/app-3']));
    expect(oregon[0]?.upgrades.length).toBeGreaterThan(0);
  });

  it('returns the refusal of the server unchanged', async () => {
    const { base } = await startRouter('oregon');
    for (const server of oregon) server.behavior = 'not-granting';
    expect(await refused(base)).toEqual({ status: 503, body: { code: 'not_granting', activeRegion: 'oregon' } });
  });

  it('answers 503 no_server_available when every server is dead', async () => {
    const { base } = await startRouter('oregon');
    await Promise.all(oregon.map((server) => server.die()));
    expect(await refused(base)).toMatchObject({ status: 503, body: { code: 'no_server_available' } });
  });

  it('answers 504 server_timeout when every server hangs', async () => {
    const timeouts = { ...UNREACHED_TIMEOUTS, attemptTimeoutMs: 600, totalTimeoutMs: 2_500 };
    const { base } = await startRouter('oregon', { timeouts });
    for (const server of oregon) server.behavior = 'hangs';
    expect(await refused(base)).toMatchObject({ status: 504, body: { code: 'server_timeout' } });
  });

  it('cuts every session and admits none while fenced, and names the active region', async () => {
    const { base } = await startRouter('oregon');
    const sessions = [await open(base), await open(base)];
    await setAcl(base, 'fence');
    await Promise.all(sessions.map(gone));
    expect(await refused(base)).toMatchObject({
      status: 503,
      body: { code: 'not_granting', activeRegion: 'virginia', address: ADDRESSES.virginia },
    });
    expect((await targetsOf(base)).map(({ sessions: count }) => count)).toEqual([0, 0, 0]);
    // The close code 1001 shows the servers that the clients are not dead.
    expect(oregon.flatMap(({ ends }) => ends)).toEqual([1001, 1001]);
  });

  it('serves no administrative route by WebSocket', async () => {
    const { base } = await startRouter('oregon');
    expect(await refused(base, '/_router/acl')).toMatchObject({ status: 404 });
  });

  it('closes within 3 s although sessions are open', async () => {
    const { base, service } = await startRouter('oregon');
    const session = await open(base);
    const startedAtMs = performance.now();
    await service.close();
    expect(performance.now() - startedAtMs).toBeLessThan(3_000);
    await gone(session);
    await waitUntil('its server knows', WITHIN_MS, () => oregon.some(({ ends }) => ends.length === 1));
    expect(oregon.flatMap(({ ends }) => ends)).toEqual([1001]);
  });
});

describe('public edge tunnels', () => {
  it('forwards a WebSocket through the router of the target region', async () => {
    const routers = { oregon: (await startRouter('oregon')).base, virginia: (await startRouter('virginia')).base };
    const { base } = await startEdge(routers);
    const session = await open(base);
    expect(serverOf(session)).toMatch(/^oregon/);
    expect(oregon.flatMap(({ upgrades }) => upgrades)[0]?.headers.via).toBe('1.1 edge, 1.1 oregon-router');
    const target = await (await fetch(`${base}/_edge/target`, { headers: ADMIN })).json();
    expect(target).toEqual({ region: 'oregon', sessions: 1 });
  });

  it('cuts the sessions of the old target when the target switches', async () => {
    const routers = { oregon: (await startRouter('oregon')).base, virginia: (await startRouter('virginia')).base };
    const { base } = await startEdge(routers);
    const session = await open(base);
    await fetch(`${base}/_edge/target`, { method: 'PUT', headers: ADMIN, body: '{"region":"virginia"}' });
    await gone(session);
    expect(serverOf(await open(base))).toBe('virginia/app-1');
    await waitUntil('no session is left in Oregon', WITHIN_MS, () => oregon.every((server) => server.open === 0));
    expect(oregon.flatMap(({ ends }) => ends)).toEqual([1001]);
  });

  it('cuts a session when its router dies', async () => {
    const router = await startRouter('oregon');
    const { base } = await startEdge({ oregon: router.base, virginia: router.base });
    const session = await open(base);
    await router.service.close();
    await gone(session);
    expect(await refused(base)).toMatchObject({ status: 502, body: { code: 'region_unreachable' } });
  });
});
