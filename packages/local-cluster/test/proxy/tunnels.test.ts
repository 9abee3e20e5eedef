import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@evergrant/drills/eventually';
import pino from 'pino';
import { WebSocket } from 'ws';
import { ProxyServer } from '../../src/proxy/proxy-server';
import { PublicEdge } from '../../src/proxy/public-edge';
import { RegionRouter, type RegionRouterOptions } from '../../src/proxy/region-router';
import type { RouterTimeouts } from '../../src/proxy/timeouts';
import { FakeSessionServer } from './fake-session-server';

const TIMEOUTS: RouterTimeouts = {
  probeEveryMs: 50,
  probeTimeoutMs: 400,
  connectTimeoutMs: 400,
  attemptTimeoutMs: 600,
  totalTimeoutMs: 2_500,
  livezTimeoutMs: 800,
};
const ADMIN = { authorization: 'Bearer admin-token' };
const ADDRESSES = { oregon: 'http://127.0.0.1:8081', virginia: 'http://127.0.0.1:8082' };
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
    timeouts: TIMEOUTS,
    logger,
    ...options,
  });
  router.start();
  return serve(router);
}

function startEdge(routers: Record<'oregon' | 'virginia', string>): Promise<Started> {
  const timeouts = { connectTimeoutMs: 400, totalTimeoutMs: 2_000 };
  const targetFile = join(dir, 'target');
  return serve(new PublicEdge({ routers, targetFile, adminToken: 'admin-token', timeouts, logger }));
}

interface Session {
  readonly socket: WebSocket;
  readonly said: string[];
  closed: boolean;
}

/** Resolves when the server has greeted, and the server's name is known. */
async function open(base: string): Promise<Session> {
  const socket = new WebSocket(`${base.replace('http', 'ws')}/v1/session?x=1`, ['evergrant.v1'], {
    headers: { authorization: 'Bearer client-token', 'x-forwarded-for': '203.0.113.7' },
  });
  sockets.push(socket);
  const session: Session = { socket, said: [], closed: false };
  socket.on('message', (text) => session.said.push(String(text)));
  socket.on('close', () => {
    session.closed = true;
  });
  socket.on('error', () => undefined);
  await once(socket, 'open');
  await eventually('a greeting', WITHIN_MS, () => session.said.length > 0);
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

const serverOf = ({ said }: Session): string => (said[0] as string).split(' ')[0] as string;

const gone = (session: Session) => eventually('the session is cut', WITHIN_MS, () => session.closed);

const targetsOf = async (base: string): Promise<{ name: string; reading: string; sessions: number }[]> =>
  (await fetch(`${base}/_router/targets`, { headers: ADMIN })).json() as Promise<
    { name: string; reading: string; sessions: number }[]
  >;

const allUp = (base: string) =>
  eventually('all servers are up', WITHIN_MS, async () =>
    (await targetsOf(base)).every(({ reading }) => reading === 'up'),
  );

const setAcl = (base: string, acl: string) =>
  fetch(`${base}/_router/acl`, {
    method: 'PUT',
    headers: ADMIN,
    body: JSON.stringify({ acl, activeRegion: 'virginia' }),
  });

describe("a region's router", () => {
  it('leads a WebSocket to a server, both ways, and says for whom', async () => {
    const { base } = await startRouter('oregon');
    const session = await open(base);
    session.socket.send('a question');
    await eventually('an answer', WITHIN_MS, () => session.said.length > 1);
    expect(session.said[1]).toBe(`${serverOf(session)}: a question`);
    expect(session.socket.protocol).toBe('evergrant.v1');
    const [upgrade] = oregon.flatMap(({ upgrades }) => upgrades);
    expect(upgrade?.url).toBe('/v1/session?x=1');
    expect(upgrade?.headers).toMatchObject({
      authorization: 'Bearer client-token',
      'x-forwarded-for': '203.0.113.7, 127.0.0.1',
      via: '1.1 oregon-router',
    });
  });

  it('spreads sessions over its servers and counts them', async () => {
    const { base } = await startRouter('oregon');
    await allUp(base);
    const sessions = [];
    for (let count = 0; count < 9; count += 1) sessions.push(await open(base));
    expect(oregon.map((server) => server.open)).toEqual([3, 3, 3]);
    expect((await targetsOf(base)).map(({ sessions }) => sessions)).toEqual([3, 3, 3]);
    for (const { socket } of sessions) socket.close();
    await eventually('none is left', WITHIN_MS, async () =>
      (await targetsOf(base)).every(({ sessions }) => sessions === 0),
    );
    expect(new Set(oregon.flatMap(({ ends }) => ends))).toEqual(new Set([1005]));
  });

  it('cuts the sessions of a server that dies, and no others', async () => {
    const { base } = await startRouter('oregon');
    await allUp(base);
    const sessions = [await open(base), await open(base), await open(base)];
    const [first, ...others] = sessions as [Session, ...Session[]];
    await oregon.find(({ name }) => name === serverOf(first))?.die();
    await gone(first);
    expect(others.map(({ closed }) => closed)).toEqual([false, false]);
    expect(serverOf(await open(base))).not.toBe(serverOf(first));
  });

  it('cuts the sessions of a server that hangs, as soon as it counts as down', async () => {
    const { base } = await startRouter('oregon');
    await allUp(base);
    const session = await open(base);
    const server = oregon.find(({ name }) => name === serverOf(session));
    if (server) server.behavior = 'hangs';
    await gone(session);
  });

  it('lets a server know at once when a client is gone, by a close that was no farewell', async () => {
    const { base } = await startRouter('oregon');
    const session = await open(base);
    session.socket.terminate();
    const server = oregon.find(({ name }) => name === serverOf(session));
    await eventually('the server knows', WITHIN_MS, () => server?.ends.length === 1);
    expect(server?.ends).toEqual([1006]);
  });

  it('asks another server when the first does not grant at this moment', async () => {
    const { base } = await startRouter('oregon');
    await allUp(base);
    for (const server of oregon.slice(0, 1)) server.behavior = 'not-granting';
    const sessions = [await open(base), await open(base), await open(base), await open(base)];
    expect(new Set(sessions.map(serverOf))).toEqual(new Set(['oregon/app-2', 'oregon/app-3']));
    expect(oregon[0]?.upgrades.length).toBeGreaterThan(0);
  });

  it('passes on a refusal in the words of the server', async () => {
    const { base } = await startRouter('oregon');
    for (const server of oregon) server.behavior = 'not-granting';
    expect(await refused(base)).toEqual({ status: 503, body: { code: 'not_granting', activeRegion: 'oregon' } });
  });

  it('says when nobody is there', async () => {
    const { base } = await startRouter('oregon');
    await Promise.all(oregon.map((server) => server.die()));
    expect(await refused(base)).toMatchObject({ status: 503, body: { code: 'no_server_available' } });
  });

  it('refuses in time when every server hangs', async () => {
    const { base } = await startRouter('oregon');
    for (const server of oregon) server.behavior = 'hangs';
    expect(await refused(base)).toMatchObject({ status: 504, body: { code: 'server_timeout' } });
  });

  it('once fenced cuts every session and lets none in, and says where to go', async () => {
    const { base } = await startRouter('oregon');
    const sessions = [await open(base), await open(base)];
    await setAcl(base, 'fence');
    await Promise.all(sessions.map(gone));
    expect(await refused(base)).toMatchObject({
      status: 503,
      body: { code: 'not_granting', activeRegion: 'virginia', address: ADDRESSES.virginia },
    });
    expect((await targetsOf(base)).map(({ sessions: count }) => count)).toEqual([0, 0, 0]);
    // The servers are told that it was done on purpose, and do not take the clients for dead.
    expect(oregon.flatMap(({ ends }) => ends)).toEqual([1001, 1001]);
  });

  it('has no administration by WebSocket', async () => {
    const { base } = await startRouter('oregon');
    expect(await refused(base, '/_router/acl')).toMatchObject({ status: 404 });
  });

  it('ends in good time though sessions are open', async () => {
    const { base, service } = await startRouter('oregon');
    const session = await open(base);
    const startedAtMs = performance.now();
    await service.close();
    expect(performance.now() - startedAtMs).toBeLessThan(3_000);
    await gone(session);
    await eventually('its server knows', WITHIN_MS, () => oregon.some(({ ends }) => ends.length === 1));
    expect(oregon.flatMap(({ ends }) => ends)).toEqual([1001]);
  });
});

describe('the edge', () => {
  it('leads a WebSocket through the router of the active region', async () => {
    const routers = { oregon: (await startRouter('oregon')).base, virginia: (await startRouter('virginia')).base };
    const { base } = await startEdge(routers);
    const session = await open(base);
    expect(serverOf(session)).toMatch(/^oregon/);
    expect(oregon.flatMap(({ upgrades }) => upgrades)[0]?.headers.via).toBe('1.1 edge, 1.1 oregon-router');
    const target = await (await fetch(`${base}/_edge/target`, { headers: ADMIN })).json();
    expect(target).toEqual({ region: 'oregon', sessions: 1 });
  });

  it('cuts the sessions of the old region when it is switched, and leads to the new one', async () => {
    const routers = { oregon: (await startRouter('oregon')).base, virginia: (await startRouter('virginia')).base };
    const { base } = await startEdge(routers);
    const session = await open(base);
    await fetch(`${base}/_edge/target`, { method: 'PUT', headers: ADMIN, body: '{"region":"virginia"}' });
    await gone(session);
    expect(serverOf(await open(base))).toBe('virginia/app-1');
    await eventually('no session is left in Oregon', WITHIN_MS, () => oregon.every((server) => server.open === 0));
    expect(oregon.flatMap(({ ends }) => ends)).toEqual([1001]);
  });

  it('cuts a session when the router behind it dies', async () => {
    const router = await startRouter('oregon');
    const { base } = await startEdge({ oregon: router.base, virginia: router.base });
    const session = await open(base);
    await router.service.close();
    await gone(session);
    expect(await refused(base)).toMatchObject({ status: 502, body: { code: 'region_unreachable' } });
  });
});
