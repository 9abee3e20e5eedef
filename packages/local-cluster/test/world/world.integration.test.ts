import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { oneWorldAtATime } from '@evergrant/test-support/one-world-at-a-time';
import { RunningWorld, runProgram, until } from '@evergrant/test-support/running-world';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { findFreeBasePort } from '../../src/world/ports';
import { isAlive } from '../../src/world/process-identity';

jest.setTimeout(120_000);
oneWorldAtATime();

const CHECKOUT = { product: 'automation', feature: 'bot-creator', seats: 1, holder: 'room/alice' };

/** Names that operators' scripts rely on. */
const NAMES = [
  ...['edge', 'oregon/router', 'oregon/app-1', 'oregon/app-2', 'oregon/app-3', 'oregon/db-a', 'oregon/db-b'],
  ...['virginia/router', 'virginia/app-1', 'virginia/app-2', 'virginia/app-3', 'virginia/db'],
  ...['ohio/witness', 'ohio/db', 'controller'],
];

describe('local cluster', () => {
  const world = new RunningWorld();
  beforeAll(() => world.start());
  afterAll(() => world.dispose());

  describe('world.json', () => {
    test('names every process with a live pid', () => {
      const { processes, regions } = world.file;
      expect(processes.map(({ name }) => name).sort()).toEqual([...NAMES].sort());
      for (const { pid, state } of processes) {
        expect(state).toBe('running');
        expect(isAlive(pid as number)).toBe(true);
      }
      expect(new Set(regions.oregon.processes.map(({ kind }) => kind))).toEqual(new Set(['router', 'app', 'db']));
      expect(regions.virginia.processes).toHaveLength(5);
    });

    test('contains the addresses', () => {
      const { edge, regions, tokens } = world.file;
      expect(edge).toBe(`http://127.0.0.1:${world.basePort}`);
      expect(regions.oregon.router).toBe(`http://127.0.0.1:${world.basePort + 1}`);
      expect(regions.virginia.router).toBe(`http://127.0.0.1:${world.basePort + 2}`);
      expect(tokens.admin).not.toBe(tokens.client);
    });
  });

  describe('API at the public address', () => {
    test('grants, renews and releases a lease', async () => {
      const id = randomUUID();
      const granted = await world.call('PUT', `/v1/leases/${id}`, { body: CHECKOUT });
      expect(granted.status).toBe(201);
      expect(granted.json).toMatchObject({
        leaseId: id,
        epoch: 1,
        servedBy: expect.stringMatching(/^oregon\/app-[123]$/),
      });
      const again = await world.call('PUT', `/v1/leases/${id}`, { body: CHECKOUT });
      expect(again.status).toBe(201);
      const beat = await world.call('POST', `/v1/leases/${id}/heartbeat`, { body: { token: granted.json.token } });
      expect(beat.status).toBe(200);
      expect(Date.parse(beat.json.expiresAt)).toBeGreaterThanOrEqual(Date.parse(granted.json.expiresAt));
      expect((await world.call('DELETE', `/v1/leases/${id}`)).status).toBe(204);
      expect((await world.call('POST', `/v1/leases/${id}/heartbeat`, { body: {} })).status).toBe(410);
    });

    test('returns a token that verifies with the published keys', async () => {
      const id = randomUUID();
      const { json } = await world.call('PUT', `/v1/leases/${id}`, { body: CHECKOUT });
      const keys = createRemoteJWKSet(new URL(`${world.file.edge}/.well-known/jwks.json`));
      const { payload } = await jwtVerify(json.token, keys);
      expect(payload).toMatchObject({ jti: id, sub: CHECKOUT.holder, seats: 1, epoch: 1 });
      await world.call('DELETE', `/v1/leases/${id}`);
    });

    test('returns 409 for a full pool, 422 with the field for an invalid body, 401 without a token', async () => {
      const full = await world.call('PUT', `/v1/leases/${randomUUID()}`, { body: { ...CHECKOUT, seats: 26 } });
      expect([full.status, full.json.code]).toEqual([409, 'no_seat_available']);
      const wrong = await world.call('PUT', `/v1/leases/${randomUUID()}`, { body: { ...CHECKOUT, seats: 0 } });
      expect([wrong.status, JSON.stringify(wrong.json).includes('seats')]).toEqual([422, true]);
      expect(wrong.headers.get('content-type')).toContain('application/problem+json');
      expect((await world.call('PUT', `/v1/leases/${randomUUID()}`, { body: CHECKOUT, token: null })).status).toBe(401);
    });

    test('names the active region at the standby region', async () => {
      const [server] = world.file.regions.virginia.processes.filter(({ kind }) => kind === 'app');
      for (const at of [server?.url as string, world.file.regions.virginia.router]) {
        const refused = await world.call('PUT', `/v1/leases/${randomUUID()}`, { body: CHECKOUT, at });
        expect(refused.status).toBe(503);
        expect(refused.json).toMatchObject({
          code: 'not_granting',
          activeRegion: 'oregon',
          address: world.file.regions.oregon.router,
        });
        expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      }
    });

    test('serves health, keys and documentation without a token', async () => {
      for (const path of ['/livez', '/readyz', '/v1/status', '/metrics', '/.well-known/jwks.json', '/openapi.json']) {
        expect([path, (await world.call('GET', path, { token: null })).status]).toEqual([path, 200]);
      }
      expect((await world.call('GET', '/v1/status')).json).toMatchObject({
        region: 'oregon',
        granting: true,
        epoch: 1,
      });
      expect((await world.call('GET', '/openapi.json')).json.openapi).toMatch(/^3\.1/);
      expect((await world.call('GET', '/v1/pools')).json.pools).toHaveLength(4);
    });

    test('writes no secret to a log', async () => {
      const { tokens, licenses } = world.file;
      const secrets = [tokens.client, tokens.admin, licenses[0]!.licenseKey];
      const grep = readdirSync(`${world.home}/logs`).map((name) => `${world.home}/logs/${name}`);
      const { readFileSync } = await import('node:fs');
      for (const file of grep) {
        const text = readFileSync(file, 'utf8');
        expect([file, secrets.filter((secret) => text.includes(secret))]).toEqual([file, []]);
      }
    });
  });

  describe('evergrant command', () => {
    const json = async (...argv: string[]) => JSON.parse((await world.evergrant(...argv, '--json')).stdout);

    test('status shows the granting region as text and as JSON', async () => {
      const told = await world.evergrant('status');
      expect(told.code).toBe(0);
      expect(told.stdout).toContain('OREGON GRANTS');
      expect(await json('status')).toMatchObject({ edgeTarget: 'oregon', authority: { epoch: 1, region: 'oregon' } });
    });

    test("the license is signed by the world's vendor, and Control Rooms register with its key", async () => {
      const licensing = join(world.home, 'secrets/licensing');
      const { licenseId, file, licenseKey } = world.file.licenses[0]!;
      const listed = await json('license', 'list');
      expect(listed.licenses).toMatchObject([
        { licenseId, issue: 1, importedBy: 'migration command', validity: 'valid', hasLicenseKey: true },
      ]);
      const trust = ['--trust', join(licensing, 'trust.json')];
      const opener = ['--deployment-key', join(licensing, 'deployment.private.jwk')];
      expect((await world.evergrant('license', 'verify', file, ...trust, ...opener)).code).toBe(0);
      for (const name of readdirSync(licensing).filter((each) => /private|license-key/.test(each))) {
        expect([name, statSync(join(licensing, name)).mode & 0o777]).toEqual([name, 0o600]);
      }
      const body = { licenseKey, name: 'Plant 7', tokenSha256: 'ab'.repeat(32) };
      expect((await world.call('PUT', `/v1/control-rooms/${randomUUID()}`, { body, token: null })).status).toBe(201);
    });

    test('pause and arm change the automation, write to the history, and report when they change nothing', async () => {
      expect((await world.evergrant('pause', '--reason', 'a test')).code).toBe(0);
      expect((await world.evergrant('pause')).stdout).toContain('Nothing to do');
      await until('status shows it', 5_000, async () => (await json('status')).controller?.automation === 'paused');
      expect((await world.evergrant('arm')).code).toBe(0);
      const history = await json('history');
      expect(JSON.stringify(history)).toContain('a test');
    });

    test('failover requires a confirmation', async () => {
      const asked = await world.evergrant('failover');
      expect(asked.code).toBe(2);
      expect(asked.stderr).toContain('--yes');
    });

    test('usage errors and refusals have different exit codes', async () => {
      expect((await world.evergrant('failback', 'sideways', '--yes')).code).toBe(2);
      const nobody = await world.evergrant('local', 'kill', 'nobody');
      expect([nobody.code, nobody.stderr]).toEqual([2, expect.stringContaining('it must be one of')]);
      expect((await world.evergrant('bogus')).code).toBe(2);
      expect((await world.evergrant('failback')).stdout).toContain('nothing to come back from');
      const environment = { EVERGRANT_HOME: '/nonexistent/evergrant' };
      const local = await runProgram('packages/local-cluster/bin.js', ['status', '--target', 'local'], environment);
      expect([local.code, local.stderr]).toEqual([3, expect.stringContaining('npm start')]);
      const elsewhere = await runProgram('packages/local-cluster/bin.js', ['status'], environment);
      expect([elsewhere.code, elsewhere.stderr]).toEqual([2, expect.stringContaining('No target is selected')]);
    });

    test('local kill, stop, cont and start control the process, and world.json follows', async () => {
      const name = 'virginia/app-3';
      const entry = () => world.file.processes.find((each) => each.name === name);
      const before = entry()?.pid as number;
      expect((await world.evergrant('local', 'stop', name)).code).toBe(0);
      const state = async () =>
        (await json('local', 'list')).find((each: { name: string; state: string }) => each.name === name).state;
      expect(await state()).toBe('paused');
      await world.evergrant('local', 'cont', name);
      expect(await state()).toBe('running');
      await world.evergrant('local', 'kill', name);
      await until('world.json shows the exit', 5_000, () => entry()?.state === 'exited');
      expect((await world.evergrant('local', 'kill', name)).code).toBe(1);
      expect((await world.evergrant('local', 'start', name)).code).toBe(0);
      expect(entry()?.state).toBe('running');
      expect(entry()?.pid).not.toBe(before);
    });
  });

  test('refuses a second world in the same folder and names the remedy', async () => {
    const second = await runProgram('dist/local-cluster/main.js', ['--profile', 'fast'], world.env);
    expect(second.code).toBe(2);
    expect(second.stderr).toContain('already runs');
    expect(world.file.processes.every(({ state }) => state === 'running')).toBe(true);
  });
});

describe('local cluster after a crash', () => {
  const world = new RunningWorld();
  beforeAll(() => world.start());
  afterAll(() => world.dispose());

  test('recovers its leases after kill -9 of everything, and Ctrl-C leaves no processes or files', async () => {
    const id = randomUUID();
    const { json } = await world.call('PUT', `/v1/leases/${id}`, { body: CHECKOUT });
    await world.crash({ children: true });
    await world.start();
    expect((await world.call('POST', `/v1/leases/${id}/heartbeat`, { body: { token: json.token } })).status).toBe(200);

    // Only the main process is killed. The next start ends its remaining children.
    await world.crash({ children: false });
    await world.start();
    expect((await world.call('POST', `/v1/leases/${id}/heartbeat`, { body: { token: json.token } })).status).toBe(200);

    const pids = world.file.processes.flatMap(({ pid }) => pid ?? []);
    expect(await world.stop()).toBe(0);
    expect(pids.filter(isAlive)).toEqual([]);
    expect(existsSync(world.home)).toBe(false);
  });
});

describe('local cluster start', () => {
  test('names every port that is taken and the process that needs it', async () => {
    const world = new RunningWorld();
    world.basePort = await findFreeBasePort();
    const squatter = createServer().listen(world.basePort + 1, '127.0.0.1');
    const refused = await runProgram('dist/local-cluster/main.js', [], world.env);
    squatter.close();
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(`${world.basePort + 1}  needed by oregon/router`);
    expect(refused.stderr).toContain('EVERGRANT_PORT=');
    await world.dispose();
  });

  test('names the trust file that it cannot use', async () => {
    const world = new RunningWorld();
    world.basePort = await findFreeBasePort();
    const refused = await runProgram('dist/local-cluster/main.js', ['--trust', 'nowhere.jwk'], world.env);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/--trust \S*nowhere\.jwk: the file cannot be read \(ENOENT\)/);
    await world.dispose();
  });

  test('lists every error of the command line at once', async () => {
    const refused = await runProgram('dist/local-cluster/main.js', ['--profile', 'slow', '--rooms', '1000'], {
      EVERGRANT_PORT: 'eighty',
    });
    expect(refused.code).toBe(2);
    for (const word of ['--profile', '--rooms', 'EVERGRANT_PORT']) expect(refused.stderr).toContain(word);
  });
});
