/**
 * A host that embeds the client: takes a lease, loses its server, goes into grace, and has nothing else to do. It must
 * end by itself, and in peace. Runs in a process of its own.
 */
const { buildSync } = require('esbuild');
const { createServer } = require('node:http');
const { join } = require('node:path');
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');

const dir = mkdtempSync(join(tmpdir(), 'evergrant-host-'));
const outfile = join(dir, 'license-client.js');
const entry = join(__dirname, '../../client/license-client.ts');
buildSync({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format: 'cjs' });
const { LicenseClient } = require(outfile);
rmSync(dir, { recursive: true });

const service = createServer((request, response) => {
  request.resume();
  const expiresAt = new Date(Date.now() + 200).toISOString();
  const lease = { leaseId: 'x', token: 't', expiresAt, heartbeatAfter: 0.05, epoch: 1, servedBy: 'oregon/app-1' };
  response.writeHead(201, { 'content-type': 'application/json' });
  response.end(JSON.stringify(lease));
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
    onEvent: ({ kind }) => kind === 'grace' && inGrace(),
  });
  const outcome = await client.checkout({ product: 'studio', feature: 'bot-runner' });
  if (outcome.kind !== 'granted') throw new Error(`not granted: ${outcome.kind}`);
  service.closeAllConnections();
  service.close();
  // Only for this wait does the test itself keep the process alive.
  const alive = setInterval(() => {}, 1_000);
  await grace;
  clearInterval(alive);
});
