/**
 * A host that embeds the shipped client, which reads the client's path and the license service's address from
 * standard input (JSON). It exits without output, or prints the failure. Plain JavaScript, so that any Node runs it.
 */
const assert = require('node:assert/strict');
const { connect, createServer } = require('node:net');
const { mkdtempSync, readFileSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

const { client: clientFile, address, token, licenseKey, product } = JSON.parse(readFileSync(0, 'utf8'));
const { LicenseClient } = require(clientFile);

const WITHIN_MS = 30_000;
const dir = mkdtempSync(join(tmpdir(), 'evergrant-smoke-'));

async function eventually(what, look) {
  const untilMs = performance.now() + WITHIN_MS;
  while (!look()) {
    if (performance.now() > untilMs) throw new Error(`not within ${WITHIN_MS} ms: ${what}`);
    await new Promise((resume) => setTimeout(resume, 20));
  }
}

function open(options = {}) {
  const events = [];
  const notices = [];
  const client = new LicenseClient({
    addresses: [address],
    ...(options.controlRoom ? {} : { token, holder: process.version }),
    backoffBaseMs: 20,
    backoffCapMs: 200,
    onEvent: (event) => events.push(event),
    onNotice: (notice) => notices.push(notice),
    ...options,
  });
  const happened = (kind) => eventually(kind, () => events.some((event) => event.kind === kind));
  return { client, events, notices, happened };
}

async function granted(client, feature, more = {}) {
  const outcome = await client.checkout({ product, feature, ...more });
  assert.equal(outcome.kind, 'granted', JSON.stringify(outcome));
  return outcome.lease;
}

/** Bytes pass until it is cut. */
async function cable() {
  const { hostname, port } = new URL(address);
  const sockets = new Set();
  const server = createServer((near) => {
    const far = connect({ host: hostname, port: Number(port) });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ]) {
      sockets.add(socket);
      socket.pipe(other);
      socket.on('error', () => {});
      socket.on('close', () => other.destroy());
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const own = server.address().port;
  return {
    address: `http://127.0.0.1:${own}`,
    cut: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
    mend: () => new Promise((resolve) => server.listen(own, '127.0.0.1', resolve)),
  };
}

const CHECKS = {
  'a session carries checkout, heartbeats and release': async () => {
    const { client, notices, happened } = open();
    const lease = await granted(client, 'brief');
    assert.deepEqual(notices, [{ kind: 'connection', address, over: 'session' }]);
    await happened('renewed');
    assert.deepEqual(await lease.release(), { kind: 'released' });
    await client.close();
  },
  'plain HTTP does, too': async () => {
    const { client, notices, happened } = open({ sessions: false });
    await granted(client, 'brief');
    assert.deepEqual(notices, [{ kind: 'connection', address, over: 'http' }]);
    await happened('renewed');
    await client.close();
  },
  'an outage leads into grace, and back': async () => {
    const line = await cable();
    const { client, happened } = open({ addresses: [line.address] });
    const lease = await granted(client, 'brief');
    line.cut();
    await happened('grace');
    assert.equal(lease.state, 'grace');
    await line.mend();
    await happened('restored');
    assert.equal(lease.state, 'held');
    await client.close();
    line.cut();
  },
  'a restart finds its lease again': async () => {
    const stateFile = join(dir, 'state.json');
    const { client } = open({ stateFile });
    const { id } = await granted(client, 'few');
    await client.close({ release: false });
    const again = open({ stateFile }).client;
    assert.equal((await granted(again, 'few')).id, id);
    await again.close();
  },
  'a Control Room registers itself': async () => {
    const controlRoom = { name: `Node ${process.version}`, licenseKey };
    const { client, notices } = open({ controlRoom, stateFile: join(dir, 'room.json') });
    await granted(client, 'few');
    assert.ok(notices.some(({ kind }) => kind === 'registered'));
    await client.close();
  },
  'who stands in line gets on': async () => {
    const { client, happened } = open();
    const first = await granted(client, 'few', { seats: 2 });
    const waiting = client.checkout({ product, feature: 'few', queueMs: WITHIN_MS });
    await happened('queued');
    await first.release();
    assert.equal((await waiting).kind, 'granted');
    await client.close();
  },
  'a token of a foreign key is not believed': async () => {
    const keys = {
      keys: [{ kid: 'foreign', kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }],
    };
    const { client } = open({ keys });
    const outcome = await client.checkout({ product, feature: 'few' });
    assert.equal(outcome.code, 'unproven', JSON.stringify(outcome));
    await client.close();
  },
  'a host is let go with leases in hand': async () => {
    const { client } = open();
    await granted(client, 'brief');
    // Never closed: neither its session nor its heartbeats may keep this process alive.
  },
};

async function main() {
  for (const [what, check] of Object.entries(CHECKS)) {
    try {
      await check();
    } catch (error) {
      throw new Error(`${what}: ${error.message}`, { cause: error });
    }
  }
}

main()
  .catch((error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exitCode = 1;
  })
  .finally(() => rmSync(dir, { recursive: true, force: true }));
