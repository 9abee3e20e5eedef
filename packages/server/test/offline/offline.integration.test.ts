import { randomUUID } from 'node:crypto';
import { armor } from '@evergrant/formats/license/armor';
import { type OfflineRequest, writeOfflineRequest, writeOfflineReturn } from '@evergrant/formats/offline/documents';
import { verifyOfflineReceipt, verifyOfflineResponse } from '@evergrant/formats/offline/signed';
import { giveLicenseKey, newRoom, register } from '@evergrant/test-support/server/control-rooms';
import { importForTest, type LicenseDraft } from '@evergrant/test-support/server/test-licenses';
import {
  PRODUCT,
  type RunningServer,
  type TestResponse,
  TestWorld,
  TOKENS,
} from '@evergrant/test-support/server/test-world';
import type { JSONWebKeySet } from 'jose';

const DAY_SECONDS = 86_400;
const LICENSE: LicenseDraft = {
  licenseId: 'lic-1',
  customer: 'Acme',
  product: PRODUCT,
  entitlements: [
    { feature: 'studio', seats: 10, borrowSecondsMax: 90 * DAY_SECONDS },
    { feature: 'runner', seats: 100, borrowSecondsMax: 30 * DAY_SECONDS },
  ],
};

let world: TestWorld;
let server: RunningServer;
let keys: JSONWebKeySet;
let licenseKey: string;

beforeEach(async () => {
  world = await TestWorld.create(LICENSE);
  licenseKey = await giveLicenseKey(world, LICENSE);
  server = await world.startGranting();
  keys = (await server.call('GET', '/.well-known/jwks.json', undefined, null)).body as JSONWebKeySet;
});

afterEach(() => world.close());

async function registered(): Promise<string> {
  const room = newRoom();
  expect((await register(server, room, licenseKey)).status).toBe(201);
  return room.guid;
}

const requestOf = (controlRoom: string, changes: Partial<OfflineRequest> = {}): OfflineRequest => ({
  version: 1,
  controlRoom,
  nonce: randomUUID(),
  name: 'The ship',
  wanted: [{ feature: 'studio', seats: 3 }],
  durationSeconds: 30 * DAY_SECONDS,
  ...changes,
});

async function bring(what: 'response' | 'return', guid: string, file: string, any = server): Promise<TestResponse> {
  const answer = await any.app.inject({
    method: 'POST',
    url: `/v1/control-rooms/${guid}/offline-${what}`,
    headers: { authorization: `Bearer ${TOKENS.admin}`, 'content-type': 'text/plain' },
    payload: file,
  });
  const json = String(answer.headers['content-type']).includes('json');
  return { status: answer.statusCode, headers: answer.headers, body: json ? answer.json() : answer.body };
}

const ask = (request: OfflineRequest, any = server) =>
  bring('response', request.controlRoom, writeOfflineRequest(request), any);

const verify = (text: string, request: OfflineRequest) =>
  verifyOfflineResponse(text, { keys, controlRoom: request.controlRoom, nonce: request.nonce, nowMs: Date.now() });

async function lent(request: OfflineRequest) {
  const answer = await ask(request);
  expect(answer.status).toBe(200);
  const verdict = await verify(answer.body, request);
  if (verdict.kind !== 'valid') throw new Error(JSON.stringify(verdict));
  return { text: String(answer.body), ...verdict };
}

const returnOf = (request: OfflineRequest, responseSha256: string) =>
  writeOfflineReturn({ version: 1, controlRoom: request.controlRoom, nonce: request.nonce, responseSha256 });

it('offline request: lends leases for the requested time that verify offline', async () => {
  const request = requestOf(await registered(), {
    wanted: [
      { feature: 'studio', seats: 3 },
      { feature: 'runner', seats: 20 },
    ],
  });
  const { leases, response } = await lent(request);
  expect(leases.map(({ feature, seats }) => [feature, seats])).toEqual([
    ['studio', 3],
    ['runner', 20],
  ]);
  for (const { expiresAtMs } of leases) {
    expect(Math.abs(expiresAtMs - Date.now() - 30 * DAY_SECONDS * 1_000)).toBeLessThan(60_000);
  }
  expect(response).toMatchObject({ room: request.controlRoom, nonce: request.nonce, license: 'lic-1' });
  expect(await world.counts('studio')).toMatchObject({ live: 3, taken: 3 });
  const rows = await world.database.query('select distinct control_room, borrowed, granted_by, holder from lease');
  expect(rows).toEqual([
    { control_room: request.controlRoom, borrowed: true, granted_by: 'admin', holder: 'The ship' },
  ]);
});

it('offline request: is idempotent, also for concurrent submissions to several servers', async () => {
  const other = await world.startGranting();
  const request = requestOf(await registered());
  const answers = await Promise.all([server, other, server, other].map((any) => ask(request, any)));
  const late = await ask(request, other);
  const texts = [...answers, late].filter(({ status }) => status === 200).map(({ body }) => body);
  expect(new Set(texts).size).toBe(1);
  expect(texts.length).toBeGreaterThanOrEqual(2);
  expect(await world.counts('studio')).toMatchObject({ live: 3 });
});

it('offline request: refuses another request with the same nonce', async () => {
  const request = requestOf(await registered());
  await lent(request);
  expect(await ask({ ...request, wanted: [{ feature: 'studio', seats: 4 }] })).toMatchObject({
    status: 409,
    body: { code: 'offline_nonce_reused' },
  });
  expect(await ask({ ...request, controlRoom: await registered() })).toMatchObject({
    status: 409,
    body: { code: 'offline_nonce_reused' },
  });
});

it('offline request: lends everything or nothing, and succeeds when it is repeated later', async () => {
  const guid = await registered();
  const blocker = await lent(requestOf(guid, { wanted: [{ feature: 'runner', seats: 90 }] }));
  const request = requestOf(guid, {
    wanted: [
      { feature: 'studio', seats: 3 },
      { feature: 'runner', seats: 20 },
    ],
  });
  expect(await ask(request)).toMatchObject({ status: 409, body: { code: 'no_seat_available', feature: 'runner' } });
  expect(await world.counts('studio')).toMatchObject({ live: 0, taken: 0 });
  const blocked = { ...request, nonce: blocker.response.nonce };
  expect((await bring('return', guid, returnOf(blocked, blocker.sha256))).status).toBe(200);
  const { leases } = await lent(request);
  expect(leases.map(({ feature }) => feature)).toEqual(['studio', 'runner']);
});

it('offline request: refuses a longer time than the license allows, and unknown features', async () => {
  const guid = await registered();
  expect(await ask(requestOf(guid, { durationSeconds: 91 * DAY_SECONDS }))).toMatchObject({
    body: { code: 'borrow_too_long', borrowSecondsMax: 90 * DAY_SECONDS },
  });
  expect(await ask(requestOf(guid, { wanted: [{ feature: 'nothing', seats: 1 }] }))).toMatchObject({
    status: 404,
    body: { code: 'entitlement_not_found', feature: 'nothing' },
  });
});

it('offline request: is not answered before the follower has it, and succeeds when it is repeated', async () => {
  const request = requestOf(await registered());
  await server.stop();
  const alone = await world.startGranting({
    wrapDatabase: (database) => ({
      ...database,
      replication: { ...database.replication, readAcknowledged: async () => undefined },
    }),
  });
  expect(await ask(request, alone)).toMatchObject({ status: 503, body: { code: 'not_protected' } });
  await alone.stop();
  server = await world.startGranting();
  await lent(request);
  expect(await world.counts('studio')).toMatchObject({ live: 3 });
}, 40_000);

describe('offline: a Control Room that never registered', () => {
  const guid = randomUUID();
  const own: LicenseDraft = {
    licenseId: 'lic-ship',
    customer: 'Acme',
    product: 'Navigator',
    kind: 'guid',
    controlRoom: guid,
    licenseKey: randomUUID(),
    entitlements: [{ feature: 'chart', seats: 5, borrowSecondsMax: 365 * DAY_SECONDS }],
  };
  const request = () =>
    requestOf(guid, { wanted: [{ feature: 'chart', seats: 5 }], durationSeconds: 200 * DAY_SECONDS });

  it('is accepted when a license of kind guid names it', async () => {
    await world.database.as('evergrant_owner', (client) => importForTest(client, own));
    const asked = request();
    const { response } = await lent(asked);
    expect(response.license).toBe('lic-ship');
    const { body } = await server.call('GET', `/v1/control-rooms/${guid}`, undefined, TOKENS.admin);
    expect(body).toMatchObject({ name: 'The ship', use: [{ feature: 'chart', seatsTaken: 5 }] });
  });

  it('is refused otherwise', async () => {
    expect(await ask(request())).toMatchObject({ status: 404, body: { code: 'control_room_not_found' } });
  });

  it('its license cannot shrink below its use', async () => {
    await world.database.as('evergrant_owner', (client) => importForTest(client, own));
    await lent(request());
    const shrunk = { ...own, issue: 2, entitlements: [{ feature: 'chart', seats: 4 }] };
    const refused = world.database.as('evergrant_owner', (client) => importForTest(client, shrunk));
    await expect(refused).rejects.toThrow(/license_shrinks_below_use/);
  });

  it('is not silent until its seats expire', async () => {
    await world.database.as('evergrant_owner', (client) => importForTest(client, own));
    const asked = request();
    const { sha256 } = await lent(asked);
    const silence = async () => {
      const rows = await world.database.query<{ days: number }>(
        `select round(extract(epoch from silent_since - clock_timestamp()) / 86400)::int as days from control_room where id = $1`,
        [guid],
      );
      return rows[0]?.days;
    };
    expect(await silence()).toBe(200);
    // Neither an outage of ours nor a return of something else takes that away.
    await world.database.query(`update control_room_watch set watched_at = clock_timestamp() - interval '1 day'`);
    await new Promise((resume) => setTimeout(resume, 2_500));
    expect(await silence()).toBe(200);
    expect((await bring('return', guid, returnOf(asked, sha256))).status).toBe(200);
    expect(await silence()).toBe(0);
  });
});

describe('offline return', () => {
  it('ends the leases and gets a receipt, idempotently', async () => {
    const request = requestOf(await registered());
    const { sha256, leases } = await lent(request);
    const file = returnOf(request, sha256);
    const first = await bring('return', request.controlRoom, file);
    expect(first.status).toBe(200);
    expect(await verifyOfflineReceipt(first.body, keys)).toMatchObject({
      kind: 'valid',
      receipt: { nonce: request.nonce, leases: leases.map(({ leaseId }) => leaseId) },
    });
    expect((await bring('return', request.controlRoom, file)).body).toBe(first.body);
    expect(await world.counts('studio')).toMatchObject({ live: 0, taken: 0 });
    // The seats are gone: the old request does not bring them back.
    expect((await ask(request)).status).toBe(200);
    expect(await world.counts('studio')).toMatchObject({ live: 0, taken: 0 });
  });

  it('is refused without the matching response', async () => {
    const request = requestOf(await registered());
    await lent(request);
    const guess = 'ab'.repeat(32);
    expect(await bring('return', request.controlRoom, returnOf(request, guess))).toMatchObject({
      status: 404,
      body: { code: 'offline_return_unknown' },
    });
    const never = { ...request, nonce: randomUUID() };
    expect((await bring('return', request.controlRoom, returnOf(never, guess))).status).toBe(404);
    expect(await world.counts('studio')).toMatchObject({ live: 3 });
  });
});

describe('offline file', () => {
  it.each<[string, (request: OfflineRequest) => string, RegExp]>([
    ['without a block', () => 'hello', /is damaged/],
    [
      'with an empty block',
      () => '-----BEGIN EVERGRANT OFFLINE REQUEST-----\n-----END EVERGRANT OFFLINE REQUEST-----\n',
      /is damaged/,
    ],
    ['that was truncated', (request) => writeOfflineRequest(request).split('\n').slice(0, 3).join('\n'), /truncated/],
    ['with a changed character', (request) => writeOfflineRequest(request).replace(/^e/m, 'f'), /checksum/],
    ['of another type', (request) => returnOf(request, 'ab'.repeat(32)), /"evergrant offline return"/],
    [
      'that requests one feature twice',
      (request) => writeOfflineRequest({ ...request, wanted: [...request.wanted, ...request.wanted] }),
      /"studio" twice/,
    ],
    [
      'that requests nothing',
      (request) => writeOfflineRequest({ ...request, wanted: [] }),
      /wanted must be 1 to 100 features/,
    ],
    ['that contains a license', () => armor('EVERGRANT LICENSE', 'e30.e30.e30'), /"evergrant license"/],
  ])('%s is refused with a helpful detail', async (_what, make, sentence) => {
    const guid = await registered();
    const answer = await bring('response', guid, make(requestOf(guid)));
    expect(answer).toMatchObject({ status: 422, body: { code: 'offline_file_unreadable' } });
    expect(answer.body.detail).toMatch(sentence);
  });

  it('of another Control Room is refused', async () => {
    const [guid, other] = [await registered(), await registered()];
    expect(await bring('response', other, writeOfflineRequest(requestOf(guid)))).toMatchObject({
      status: 409,
      body: { code: 'offline_file_of_another' },
    });
  });

  it('is accepted only from administrators', async () => {
    const guid = await registered();
    for (const token of [TOKENS.client, TOKENS.reader]) {
      const answer = await server.app.inject({
        method: 'POST',
        url: `/v1/control-rooms/${guid}/offline-response`,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'text/plain' },
        payload: writeOfflineRequest(requestOf(guid)),
      });
      expect(answer.statusCode).toBe(403);
    }
  });
});
