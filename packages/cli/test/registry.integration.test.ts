import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '@evergrant/test-support/running-world';
import { giveLicenseKey, newRoom, register } from '@evergrant/test-support/server/control-rooms';
import { type RunningServer, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';

let world: TestWorld;
let server: RunningServer;
let folder: string;
let environment: Record<string, string>;

beforeAll(async () => {
  world = await TestWorld.create();
  server = await world.startGranting();
  folder = mkdtempSync(join(tmpdir(), 'evergrant-cli-'));
  const tokenFile = join(folder, 'admin.token');
  writeFileSync(tokenFile, `${TOKENS.admin}\n`, { mode: 0o600 });
  environment = { EVERGRANT_SERVER_URL: server.address, EVERGRANT_TOKEN_FILE: tokenFile, EVERGRANT_HOME: folder };
});

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await world.close();
});

const evergrant = (...argv: string[]) => runProgram('packages/cli/bin.js', argv, environment);
const json = async (...argv: string[]) => JSON.parse((await evergrant(...argv, '--json')).stdout);
const pools = async (token: string) => (await server.call('GET', '/v1/pools', undefined, token)).status;

describe('evergrant token', () => {
  it('creates a token in a file readable by its owner only; the token works, is listed and is revoked', async () => {
    const file = join(folder, 'dashboard.token');
    const made = await evergrant('token', 'create', 'dashboard', '--scope', 'read', '--expires', '90d', '--out', file);
    expect(made).toMatchObject({ code: 0 });
    const token = readFileSync(file, 'utf8').trim();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(made.stdout).not.toContain(token);
    expect(await pools(token)).toBe(200);

    const { tokens } = await json('token', 'list');
    const listed = tokens.find(({ name }: { name: string }) => name === 'dashboard');
    expect(listed).toMatchObject({ scopes: ['read'], createdBy: 'admin', revokedAt: null });
    expect(Date.parse(listed.expiresAt)).toBeGreaterThan(Date.now() + 89 * 86_400_000);

    expect((await evergrant('token', 'revoke', 'dashboard', '--reason', 'done with it')).code).toBe(0);
    expect(await pools(token)).toBe(401);
  });

  it('prints a token with --print', async () => {
    const { token } = await json('token', 'create', 'printed', '--scope', 'read', '--print');
    expect(await pools(token)).toBe(200);
    expect(JSON.stringify(await json('token', 'list'))).not.toContain(token);
  });

  it('requires a destination for the token and never overwrites a file', async () => {
    expect(await evergrant('token', 'create', 'x', '--scope', 'read')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--out FILE, or --print'),
    });
    const file = join(folder, 'precious');
    writeFileSync(file, 'the only copy');
    expect((await evergrant('token', 'create', 'x', '--scope', 'read', '--out', file)).code).toBe(2);
    expect(readFileSync(file, 'utf8')).toBe('the only copy');
  });

  it('deletes the file of a rejected token', async () => {
    const file = join(folder, 'refused.token');
    const refused = await evergrant('token', 'create', 'admin', '--scope', 'read', '--out', file);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('A different API token has this name') });
    expect(existsSync(file)).toBe(false);
  });

  it.each(['yesterday', '2001-01-01', '5x'])('rejects the expiry %s', async (when) => {
    expect(await evergrant('token', 'create', 'x', '--scope', 'read', '--print', '--expires', when)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('a date in the future'),
    });
  });
});

describe('evergrant control-room', () => {
  it('lists, shows, groups and recovers', async () => {
    const room = newRoom();
    await register(server, room, await giveLicenseKey(world));
    expect((await evergrant('control-room', 'list')).stdout).toContain(room.guid);
    expect((await evergrant('control-room', 'group', room.guid, 'night', '--reason', 'shift')).code).toBe(0);
    expect(await json('control-room', 'show', room.guid)).toMatchObject({ group: 'night', state: 'active' });
    expect((await json('control-room', 'list', '--group', 'night')).controlRooms).toHaveLength(1);
    expect((await json('control-room', 'list', '--state', 'suspended')).controlRooms).toEqual([]);

    const asked = await evergrant('control-room', 'recover', room.guid, '--reason', 'burned down');
    expect(asked).toMatchObject({ code: 2, stderr: expect.stringContaining('use --yes') });
    expect(await pools(room.token)).toBe(200);
    const recovered = await evergrant('control-room', 'recover', room.guid, '--reason', 'burned down', '--yes');
    expect(recovered).toMatchObject({ code: 0, stdout: expect.stringContaining('1 tokens are revoked') });
    expect(await pools(room.token)).toBe(401);
  });

  it('reports an unknown Control Room', async () => {
    expect(await evergrant('control-room', 'show', randomUUID())).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('There is no such Control Room'),
    });
  });
});

describe('evergrant reservation', () => {
  it('reserves, lists and gives up', async () => {
    const set = (...argv: string[]) =>
      evergrant('reservation', 'set', '--license', 'lic-1', '--feature', 'studio', '--reason', 'shift', ...argv);
    expect((await set('--group', 'night', '--seats', '3')).stdout).toContain('3 seats of studio are reserved');
    expect((await json('reservation', 'list')).reservations).toMatchObject([{ group: 'night', seats: 3 }]);
    expect(await set('--group', 'night', '--seats', '11')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('The reservations would exceed the seats that were sold'),
    });
    expect((await set('--seats', '1')).code).toBe(2);
    expect((await set('--group', 'night', '--seats', 'few')).code).toBe(2);
    expect((await set('--group', 'night', '--seats', '0')).code).toBe(0);
    expect((await json('reservation', 'list')).reservations).toEqual([]);
  });
});

it('exit code: an unreachable server differs from a rejection', async () => {
  const nobody = await runProgram('packages/cli/bin.js', ['token', 'list'], {
    ...environment,
    EVERGRANT_SERVER_URL: 'http://127.0.0.1:9',
  });
  expect(nobody).toMatchObject({ code: 3, stderr: expect.stringContaining('does not answer') });
});

it('access: the token of the local cluster is not sent to another server', async () => {
  const { EVERGRANT_TOKEN_FILE: _, ...rest } = environment;
  expect(await runProgram('packages/cli/bin.js', ['token', 'list'], rest as Record<string, string>)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--token-file FILE'),
  });
});
