import { request as requestHttps } from 'node:https';
import { type ConnectionOptions, connect } from 'node:tls';
import {
  CertificateFolder,
  type Certified,
  createAuthority,
  issueTestCertificate,
} from '@evergrant/test-support/certificates';
import { eventually } from '@evergrant/test-support/eventually';
import { type RunningServer, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';

let world: TestWorld;
let authority: Certified;
let folder: CertificateFolder;

beforeAll(async () => {
  folder = new CertificateFolder();
  [world, authority] = await Promise.all([TestWorld.create(), createAuthority()]);
});

afterAll(async () => {
  folder.remove();
  await world.close();
});

interface TlsAnswer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

/** Sends one request on a separate connection. Rejects with the error code. */
function get(server: RunningServer, path: string, options: ConnectionOptions): Promise<TlsAnswer> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${TOKENS.reader}` };
    const asking = requestHttps(`${server.address}${path}`, { agent: false, headers, ...options }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    asking.on('error', reject);
    asking.end();
  });
}

async function startWithTls(name: string, certified: Certified, clientCa?: string): Promise<RunningServer> {
  return world.startGranting({
    name: `oregon/${name}`,
    security: {
      tls: {
        certificate: folder.write(`${name}.crt`, certified.cert),
        key: folder.write(`${name}.key`, certified.key),
        clientCa: clientCa === undefined ? undefined : folder.write(`${name}-clients.crt`, clientCa),
      },
    },
  });
}

describe('a server with a certificate', () => {
  let server: RunningServer;

  beforeAll(async () => {
    server = await startWithTls('tls', await issueTestCertificate(authority));
  });

  it('is accepted only by clients that trust its authority', async () => {
    expect(server.address).toMatch(/^https:/);
    expect((await get(server, '/v1/pools', { ca: authority.cert })).status).toBe(200);
    const stranger = await createAuthority('somebody else');
    await expect(get(server, '/v1/pools', { ca: stranger.cert })).rejects.toMatchObject({
      code: expect.stringMatching(/SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/),
    });
  });

  it('refuses versions before TLS 1.2', async () => {
    const { port } = new URL(server.address);
    const speak = (version: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') =>
      new Promise<string | null>((resolve, reject) => {
        const socket = connect({
          host: '127.0.0.1',
          port: Number(port),
          ca: authority.cert,
          minVersion: version,
          maxVersion: version,
          // Without this our own side would refuse the old version before the server could.
          ciphers: 'DEFAULT@SECLEVEL=0',
        });
        socket.once('secureConnect', () => {
          resolve(socket.getProtocol());
          socket.destroy();
        });
        socket.once('error', reject);
      });
    expect(await speak('TLSv1.3')).toBe('TLSv1.3');
    expect(await speak('TLSv1.2')).toBe('TLSv1.2');
    await expect(speak('TLSv1.1')).rejects.toThrow(/protocol version/i);
  });

  it('does not answer plain HTTP', async () => {
    const plain = server.address.replace('https:', 'http:');
    await expect(fetch(`${plain}/livez`)).rejects.toThrow();
  });

  it('sends Strict-Transport-Security', async () => {
    const { headers } = await get(server, '/livez', { ca: authority.cert });
    expect(headers['strict-transport-security']).toBe('max-age=31536000');
  });

  it('reloads a renewed certificate without a restart, and keeps the old one while the new one is incomplete', async () => {
    const next = await createAuthority('the next authority');
    const renewed = await issueTestCertificate(next);
    folder.write('tls.crt', renewed.cert);
    await eventually('the half-written pair is noticed', () =>
      server.logLines.some(
        ({ msg }) => msg === 'the new TLS certificate cannot be used; the previous one stays in use',
      ),
    );
    expect((await get(server, '/livez', { ca: authority.cert })).status).toBe(200);
    folder.write('tls.key', renewed.key);
    await eventually('the new one is in use', () =>
      get(server, '/livez', { ca: next.cert }).then(
        ({ status }) => status === 200,
        () => false,
      ),
    );
    expect((await get(server, '/metrics', { ca: next.cert })).body).toMatch(
      /evergrant_tls_certificate_expiry_timestamp_seconds [1-9]/,
    );
    expect(JSON.stringify(server.logLines)).not.toContain('PRIVATE KEY');
  }, 40_000);
});

describe('mutual TLS', () => {
  it('accepts only client certificates of the client authority', async () => {
    const clients = await createAuthority('clients');
    const server = await startWithTls('mutual', await issueTestCertificate(authority), clients.cert);
    const router = await issueTestCertificate(clients, { host: 'router' });
    const impostor = await issueTestCertificate(await createAuthority('impostors'), { host: 'router' });
    const ca = authority.cert;
    expect((await get(server, '/v1/pools', { ca, ...router })).status).toBe(200);
    await expect(get(server, '/livez', { ca })).rejects.toThrow();
    await expect(get(server, '/livez', { ca, ...impostor })).rejects.toThrow();
  });
});
