import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from '@evergrant/test-support/running-world';
import { giveLicenseKey, newRoom, register } from '@evergrant/test-support/server/control-rooms';
import { type RunningServer, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';

let world: TestWorld;
let server: RunningServer;
let folder: string;
let guid: string;

beforeAll(async () => {
  world = await TestWorld.create();
  const licenseKey = await giveLicenseKey(world, {
    entitlements: [{ feature: 'studio', seats: 10, borrowSecondsMax: 8_000_000 }],
  });
  server = await world.startGranting();
  folder = mkdtempSync(join(tmpdir(), 'evergrant-offline-'));
  writeFileSync(at('admin.token'), TOKENS.admin, { mode: 0o600 });
  const room = newRoom();
  await register(server, room, licenseKey);
  guid = room.guid;
});

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await world.close();
});

const at = (name: string): string => join(folder, name);
/** A machine beside the Control Room: it exchanges only files. */
const inTheRoom = (...argv: string[]) =>
  runProgram('packages/cli/bin.js', ['control-room', ...argv], { EVERGRANT_HOME: folder });
const withServer = (...argv: string[]) =>
  runProgram('packages/cli/bin.js', ['control-room', ...argv], {
    EVERGRANT_HOME: folder,
    EVERGRANT_SERVER_URL: server.address,
    EVERGRANT_TOKEN_FILE: at('admin.token'),
  });

it('offline: seats are lent and returned by files only', async () => {
  const jwks = await fetch(`${server.address}/.well-known/jwks.json`);
  writeFileSync(at('keys.json'), await jwks.text());
  const here = ['--control-room', guid, '--keys', at('keys.json')];

  const asked = await inTheRoom(
    ...['offline-request', '--control-room', guid, '--name', 'The ship'],
    ...['--want', 'studio=3', '--for', '90d', '--out', at('request')],
  );
  expect(asked).toMatchObject({ code: 0, stdout: expect.stringContaining('offline-respond') });

  const responded = await withServer('offline-respond', at('request'), '--out', at('response'));
  expect(responded).toMatchObject({ code: 0, stderr: '' });
  expect(await world.counts('studio')).toMatchObject({ live: 3 });

  const verified = await inTheRoom('offline-verify', at('response'), ...here, '--request', at('request'), '--json');
  expect(JSON.parse(verified.stdout)).toMatchObject({ controlRoom: guid, leases: [{ feature: 'studio', seats: 3 }] });

  const stranger = ['--control-room', randomUUID(), '--keys', at('keys.json')];
  expect(await inTheRoom('offline-verify', at('response'), ...stranger)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`it is for the Control Room ${guid}`),
  });

  expect((await inTheRoom('offline-return', at('response'), ...here, '--out', at('return'))).code).toBe(0);
  expect(existsSync(at('response'))).toBe(false);
  expect((await withServer('offline-take-back', at('return'), '--out', at('receipt'))).code).toBe(0);
  expect(await world.counts('studio')).toMatchObject({ live: 0 });
  const receipt = await inTheRoom('offline-receipt', at('receipt'), '--keys', at('keys.json'));
  expect(receipt).toMatchObject({ code: 0, stdout: expect.stringContaining('1 leases were returned') });
});

it('offline: a rejected request writes no file and names the feature', async () => {
  const request = [
    'offline-request',
    '--control-room',
    guid,
    '--name',
    'The ship',
    '--want',
    'studio=11',
    '--for',
    '1d',
  ];
  await inTheRoom(...request, '--out', at('greedy'));
  expect(await withServer('offline-respond', at('greedy'), '--out', at('greedy-response'))).toMatchObject({ code: 1 });
  expect(existsSync(at('greedy-response'))).toBe(false);
});

it('offline: reports each invalid option and never overwrites a file', async () => {
  const request = (...argv: string[]) => inTheRoom('offline-request', '--name', 'x', '--out', at('x'), ...argv);
  for (const argv of [
    ['--control-room', 'seven', '--want', 'studio=1', '--for', '1d'],
    ['--control-room', guid, '--want', 'studio', '--for', '1d'],
    ['--control-room', guid, '--want', 'studio=1', '--for', 'ever'],
    ['--control-room', guid, '--want', 'studio=1', '--want', 'studio=2', '--for', '1d'],
  ]) {
    expect((await request(...argv)).code).toBe(2);
  }
  expect(existsSync(at('x'))).toBe(false);
  writeFileSync(at('x'), 'precious');
  expect((await request('--control-room', guid, '--want', 'studio=1', '--for', '1d')).code).toBe(2);
  expect(readFileSync(at('x'), 'utf8')).toBe('precious');
});
