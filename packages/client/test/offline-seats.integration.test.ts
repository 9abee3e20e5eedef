import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeOfflineRequest } from '@evergrant/formats/offline/documents';
import { giveLicenseKey, newRoom, register } from '@evergrant/test-support/server/control-rooms';
import { type RunningServer, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';
import { readOfflineSeats } from '../src/license-client';

const DAY_SECONDS = 86_400;
const DAY_MS = DAY_SECONDS * 1_000;

let world: TestWorld;
let server: RunningServer;
let folder: string;
let file: string;
let controlRoom: string;
let keys: unknown;

/** A response that a real server signed, as an administrator delivers it. */
beforeAll(async () => {
  world = await TestWorld.create();
  const licenseKey = await giveLicenseKey(world, {
    entitlements: [
      { feature: 'studio', seats: 10, borrowSecondsMax: 90 * DAY_SECONDS },
      { feature: 'runner', seats: 10, borrowSecondsMax: 90 * DAY_SECONDS },
    ],
  });
  server = await world.startGranting();
  const room = newRoom();
  await register(server, room, licenseKey);
  controlRoom = room.guid;
  keys = (await server.call('GET', '/.well-known/jwks.json', undefined, null)).body;
  const request = writeOfflineRequest({
    version: 1,
    controlRoom,
    nonce: randomUUID(),
    name: 'The ship',
    wanted: [{ feature: 'studio', seats: 3 }],
    durationSeconds: 30 * DAY_SECONDS,
  });
  const response = await server.app.inject({
    method: 'POST',
    url: `/v1/control-rooms/${controlRoom}/offline-response`,
    headers: { authorization: `Bearer ${TOKENS.admin}`, 'content-type': 'text/plain' },
    payload: request,
  });
  expect(response.statusCode).toBe(200);
  folder = mkdtempSync(join(tmpdir(), 'evergrant-offline-'));
  file = join(folder, 'response.evergrant');
  writeFileSync(file, response.body);
});

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await world.close();
});

const read = (changes: { file?: string; keys?: unknown; controlRoom?: string; nowMs?: () => number } = {}) =>
  readOfflineSeats({ file, keys, controlRoom, ...changes });

const changed = (how: (text: string) => string): string => {
  const path = join(folder, `${randomUUID()}.evergrant`);
  writeFileSync(path, how(readFileSync(file, 'utf8')));
  return path;
};

it('offline seats: are available without a network until they expire', async () => {
  let nowMs = Date.now();
  const seats = await read({ nowMs: () => nowMs });
  if (seats.kind !== 'lent') throw new Error(JSON.stringify(seats));
  const { product } = (await server.call('GET', '/v1/pools')).body.pools.find(
    ({ feature }: { feature: string }) => feature === 'studio',
  );
  expect(seats.seats(product, 'studio')).toBe(3);
  expect(seats.seats(product, 'runner')).toBe(0);
  expect(seats.seats('another product', 'studio')).toBe(0);
  nowMs = seats.endsAtMs - 1;
  expect(seats.seats(product, 'studio')).toBe(3);
  nowMs = seats.endsAtMs;
  expect(seats.seats(product, 'studio')).toBe(0);
});

it('offline seats: are refused after they expire', async () => {
  expect(await read({ nowMs: () => Date.now() + 31 * DAY_MS })).toMatchObject({ kind: 'refused', code: 'expired' });
});

it.each([
  ['another Control Room', () => ({ controlRoom: randomUUID() }), 'of_another_control_room'],
  ['no keys', () => ({ keys: { keys: [] } }), 'untrusted'],
  ['invalid keys', () => ({ keys: 'nonsense' }), 'untrusted'],
  ['no such file', () => ({ file: join(tmpdir(), randomUUID()) }), 'unreadable'],
  ['half a file', () => ({ file: changed((text) => text.slice(0, 200)) }), 'unreadable'],
  ['an empty file', () => ({ file: changed(() => '') }), 'unreadable'],
  ['another kind of file', () => ({ file: changed((text) => text.replaceAll('RESPONSE', 'RECEIPT')) }), 'unreadable'],
  [
    'one changed character',
    () => ({
      file: changed((text) => {
        const lines = text.split('\n');
        const middle = lines[2] ?? '';
        lines[2] = `${middle[0] === 'A' ? 'B' : 'A'}${middle.slice(1)}`;
        return lines.join('\n');
      }),
    }),
    'untrusted',
  ],
])('offline seats: %s is refused with its code and a message', async (_what, changes, code) => {
  const outcome = await read(changes());
  expect(outcome).toMatchObject({ kind: 'refused', code, because: expect.stringMatching(/\w{2,} \w{2,}/) });
});
