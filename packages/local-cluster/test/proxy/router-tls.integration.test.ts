import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import {
  CertificateFolder,
  type Certified,
  createAuthority,
  issueTestCertificate,
} from '@evergrant/test-support/certificates';
import { eventually } from '@evergrant/test-support/eventually';
import { PRODUCT, type RunningServer, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';
import pino from 'pino';
import WebSocket from 'ws';
import { createEnvironmentReader } from '../../src/proxy/environment';
import { ProxyServer } from '../../src/proxy/proxy-server';
import { RegionRouter } from '../../src/proxy/region-router';
import { ROUTER_TIMEOUTS } from '../../src/proxy/timeouts';
import { readUpstreamTls, type UpstreamTls } from '../../src/proxy/upstream-tls';

/** A router and a license server that authenticate each other by certificates only. */
let world: TestWorld;
let server: RunningServer;
let folder: CertificateFolder;
let servers: Certified;
let clients: Certified;
const running: { router: RegionRouter; service: ProxyServer }[] = [];
const logger = pino({ level: 'silent' });

beforeAll(async () => {
  folder = new CertificateFolder();
  world = await TestWorld.create();
  servers = await createAuthority('servers');
  clients = await createAuthority('routers');
  const own = await issueTestCertificate(servers);
  server = await world.startGranting({
    security: {
      tls: {
        certificate: folder.write('server.crt', own.cert),
        key: folder.write('server.key', own.key),
        clientCa: folder.write('routers.crt', clients.cert),
      },
    },
  });
});

afterAll(async () => {
  for (const { router, service } of running) {
    await service.close();
    await router.close();
  }
  folder.remove();
  await world.close();
});

async function startRouter(tls: UpstreamTls | undefined): Promise<string> {
  const router = new RegionRouter({
    region: 'oregon',
    targets: [{ name: 'oregon/app-1', url: server.address }],
    aclFile: join(folder.path, `${randomUUID()}.json`),
    aclDefault: 'serve',
    regionAddresses: { oregon: 'http://oregon.test', virginia: 'http://virginia.test' },
    adminToken: 'admin-token',
    timeouts: ROUTER_TIMEOUTS.fast,
    tls,
    logger,
  });
  const service = new ProxyServer({ port: 0, respond: router.respond, upgrade: router.upgrade, logger });
  await service.listen();
  router.start();
  running.push({ router, service });
  return `http://127.0.0.1:${service.port}`;
}

const withCertificate = async (): Promise<UpstreamTls> => ({
  ca: servers.cert,
  ...(await issueTestCertificate(clients, { host: 'oregon-router' })),
});

const alive = async (base: string) => (await fetch(`${base}/livez`)).status;

describe('region router with TLS', () => {
  it('forwards requests and sessions over mutual TLS', async () => {
    const base = await startRouter(await withCertificate());
    await eventually('the server lives', async () => (await alive(base)) === 200);
    const granted = await fetch(`${base}/v1/leases/${randomUUID()}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${TOKENS.client}`, 'content-type': 'application/json' },
      body: JSON.stringify({ product: PRODUCT, feature: 'studio', seats: 1, holder: 'alice' }),
    });
    expect(granted.status).toBe(201);

    const socket = new WebSocket(`${base.replace('http', 'ws')}/v1/session`, 'evergrant.v1', {
      headers: { authorization: `Bearer ${TOKENS.client}` },
    });
    const hello = await new Promise<string>((resolve, reject) => {
      socket.once('message', (message) => resolve(String(message)));
      socket.once('error', reject);
    });
    expect(JSON.parse(hello)).toMatchObject({ event: 'hello', server: server.name });
    socket.terminate();
  });

  it.each<[string, () => Promise<UpstreamTls | undefined>]>([
    ['without a certificate', async () => ({ ca: servers.cert })],
    [
      'with the certificate of another authority',
      async () => ({
        ca: servers.cert,
        ...(await issueTestCertificate(await createAuthority(), { host: 'oregon-router' })),
      }),
    ],
    [
      'that does not trust the authority of the servers',
      async () => ({ ...(await withCertificate()), ca: clients.cert }),
    ],
    ['without TLS settings', async () => undefined],
  ])('reaches no server as a router %s', async (_what, tls) => {
    const base = await startRouter(await tls());
    await eventually('it has tried', async () => (await alive(base)) === 503);
    expect((await fetch(`${base}/v1/pools`)).status).toBeGreaterThanOrEqual(502);
  });

  it('reports every error of its environment and no key', () => {
    const reader = createEnvironmentReader({
      EVERGRANT_UPSTREAM_CA_FILE: '/nowhere/ca.crt',
      EVERGRANT_UPSTREAM_CERTIFICATE_FILE: folder.write('hush.crt', 'hush-hush'),
    });
    readUpstreamTls(reader);
    expect(() => reader.complete({})).toThrow(/ca.crt cannot be read \(ENOENT\)[\s\S]*is not PEM/);
    expect(() => reader.complete({})).not.toThrow(/hush-hush/);
  });
});
