/**
 * A host that embeds the client. It takes many long leases and a short one, loses its server, enters grace with the
 * short one, and has no other work. The process must exit without a call to exit and without output on stderr. The
 * test runs it as a separate process: `host-that-ends.js SESSIONS`.
 */
// esbuild's worker thread would keep the process alive, and the test checks that the host exits.
process.env.ESBUILD_WORKER_THREADS = '0';
const { buildSync } = require('esbuild');
const { generateKeyPairSync, sign } = require('node:crypto');
const { createServer } = require('node:http');
const { join } = require('node:path');
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { WebSocketServer } = require('ws');

const sessions = process.argv[2] === 'true';
const dir = mkdtempSync(join(tmpdir(), 'evergrant-host-'));
const outfile = join(dir, 'license-client.js');
const entry = join(__dirname, '../src/license-client.ts');
buildSync({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format: 'cjs' });
const { LicenseClient } = require(outfile);
rmSync(dir, { recursive: true });

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const JWKS = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' }] };
const base64url = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

function leaseFor(leaseId, { product, feature, seats, holder, identity, nonce }) {
  const ttlMs = feature === 'long' ? 3_600_000 : 200;
  const nowMs = Date.now();
  const [iat, exp] = [nowMs / 1_000, (nowMs + ttlMs) / 1_000].map(Math.floor);
  const claims = { jti: leaseId, sub: holder, pool: { product, feature }, seats, identity, nonce, iat, exp };
  const signed = `${base64url({ alg: 'EdDSA', kid: 'k', typ: 'evergrant-lease+jwt' })}.${base64url(claims)}`;
  const token = `${signed}.${sign(null, Buffer.from(signed), privateKey).toString('base64url')}`;
  const times = { serverTime: new Date(nowMs).toISOString(), expiresAt: new Date(nowMs + ttlMs).toISOString() };
  return { leaseId, token, ...times, heartbeatAfter: ttlMs / 4_000, epoch: 1, servedBy: 'oregon/app-1' };
}

const service = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const isLease = request.url.startsWith('/v1/leases/');
    const isKeys = request.url === '/.well-known/jwks.json';
    response.writeHead(isLease ? 201 : isKeys ? 200 : 404, { 'content-type': 'application/json' });
    const leaseId = request.url.split('/')[3];
    const body = isLease ? leaseFor(leaseId, JSON.parse(Buffer.concat(chunks))) : isKeys ? JWKS : {};
    response.end(JSON.stringify(body));
  });
});
const upgrades = new WebSocketServer({ noServer: true });
const sockets = new Set();
service.on('connection', (socket) => sockets.add(socket));
service.on('upgrade', (request, socket, head) => {
  upgrades.handleUpgrade(request, socket, head, (session) => {
    session.send(JSON.stringify({ event: 'hello', pingEverySeconds: 15 }));
    session.on('message', (content) => {
      const { id, leaseId, ...body } = JSON.parse(content);
      session.send(JSON.stringify({ id, status: 201, body: leaseFor(leaseId, body) }));
    });
  });
});

service.listen(0, '127.0.0.1', async () => {
  let inGrace;
  const grace = new Promise((resolve) => {
    inGrace = resolve;
  });
  const client = new LicenseClient({
    addresses: [`http://127.0.0.1:${service.address().port}`],
    token: 'token',
    holder: 'host',
    backoffBaseMs: 5,
    backoffCapMs: 20,
    sessions,
    onEvent: ({ kind }) => kind === 'grace' && inGrace(),
  });
  const features = ['short', ...Array.from({ length: 40 }, () => 'long')];
  const outcomes = await Promise.all(features.map((feature) => client.checkout({ product: 'studio', feature })));
  for (const { kind } of outcomes) if (kind !== 'granted') throw new Error(`not granted: ${kind}`);
  for (const socket of sockets) socket.destroy();
  service.close();
  // Only for this wait does the test itself keep the process alive.
  const alive = setInterval(() => {}, 1_000);
  await grace;
  clearInterval(alive);
});
