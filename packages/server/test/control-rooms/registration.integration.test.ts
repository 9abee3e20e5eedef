import { randomUUID } from 'node:crypto';
import { addLicense, drawToken, giveLicenseKey, newRoom, register } from '@evergrant/test-support/server/control-rooms';
import { type RunningServer, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';
import { sha256Of } from '../../src/api-tokens/api-token-verifier';

let world: TestWorld;
let server: RunningServer;
let other: RunningServer;
let licenseKey: string;

beforeAll(async () => {
  world = await TestWorld.create();
  server = await world.startGranting();
  other = await world.startGranting();
  licenseKey = await giveLicenseKey(world);
});

afterAll(() => world.close());

const rooms = async (guid: string) =>
  world.database.query('select name, group_name, license_id from control_room where id = $1', [guid]);

it('registration: needs only the license key, and the token works at once on every server', async () => {
  const room = newRoom();
  expect(await register(server, room, licenseKey, { group: 'plants' })).toMatchObject({
    status: 201,
    body: {
      controlRoom: room.guid,
      licenseId: 'lic-1',
      tokenName: `control-room ${room.guid} #1`,
      heartbeatAfter: 300,
    },
  });
  for (const any of [server, other]) {
    expect((await any.call('GET', '/v1/pools', undefined, room.token)).status).toBe(200);
  }
  expect(await rooms(room.guid)).toEqual([{ name: 'Plant 7', group_name: 'plants', license_id: 'lic-1' }]);
});

it('registration: ignores the case of license key and GUID', async () => {
  const room = newRoom();
  expect((await register(server, room, licenseKey.toUpperCase())).status).toBe(201);
  const shouting = { ...room, guid: room.guid.toUpperCase() };
  expect(await register(server, shouting, licenseKey)).toMatchObject({ status: 200, body: { controlRoom: room.guid } });
});

it('registration: is idempotent, also for concurrent requests to several servers', async () => {
  const room = newRoom();
  const answers = await Promise.all([server, other, server, other].map((any) => register(any, room, licenseKey)));
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 201]);
  expect((await register(other, room, licenseKey)).status).toBe(200);
  const tokens = await world.database.query('select name from api_token where control_room = $1', [room.guid]);
  expect(tokens).toHaveLength(1);
});

it('registration: does not change name and group when it is repeated', async () => {
  const room = newRoom();
  await register(server, room, licenseKey, { group: 'plants' });
  await register(server, room, licenseKey, { group: 'board', name: 'Elsewhere' });
  expect(await rooms(room.guid)).toEqual([{ name: 'Plant 7', group_name: 'plants', license_id: 'lic-1' }]);
});

it('registration: refuses another token for a registered GUID and explains recovery', async () => {
  const room = newRoom();
  await register(server, room, licenseKey);
  const answer = await register(server, { ...room, token: drawToken() }, licenseKey);
  expect(answer).toMatchObject({ status: 409, body: { code: 'control_room_registered' } });
  expect(answer.body.detail).toContain('control-room recover');
});

it('registration: refuses a wrong license key', async () => {
  const room = newRoom();
  expect(await register(server, room, randomUUID())).toMatchObject({
    status: 403,
    body: { code: 'license_key_unknown' },
  });
  expect(await rooms(room.guid)).toEqual([]);
  expect((await server.call('GET', '/v1/pools', undefined, room.token)).status).toBe(401);
});

it('registration: a license of kind guid accepts only its Control Room', async () => {
  const owner = newRoom();
  const key = await addLicense(world, { licenseId: 'lic-guid', kind: 'guid', controlRoom: owner.guid });
  expect(await register(server, newRoom(), key)).toMatchObject({
    status: 403,
    body: { code: 'license_of_another_control_room' },
  });
  expect((await register(server, owner, key)).status).toBe(201);
});

it.each([
  ['before it begins', `valid_from = clock_timestamp() + interval '1 hour'`],
  ['after its end', `valid_until = clock_timestamp()`],
])('a license registers nobody %s', async (_when, change) => {
  const key = await addLicense(world, { licenseId: `lic-${randomUUID()}` });
  await world.database.query(`update license set ${change} where license_key_sha256 is not null and product = 'Other'`);
  expect(await register(server, newRoom(), key)).toMatchObject({ status: 403, body: { code: 'license_not_valid' } });
  await world.database.query(`delete from pool where license_id like 'lic-%-%'`);
  await world.database.query(`delete from license where id like 'lic-%-%'`);
});

it('registration: refuses a GUID that is registered with another license', async () => {
  const room = newRoom();
  await register(server, room, licenseKey);
  const key = await addLicense(world, { licenseId: 'lic-beta' });
  expect(await register(server, room, key)).toMatchObject({ status: 409, body: { code: 'control_room_registered' } });
});

it('registration: refuses a token in use and leaves nothing behind', async () => {
  const room = { ...newRoom(), token: TOKENS.client };
  expect(await register(server, room, licenseKey)).toMatchObject({ status: 409, body: { code: 'token_in_use' } });
  expect(await rooms(room.guid)).toEqual([]);
});

it('registration: reports every invalid field', async () => {
  const answer = await server.call('PUT', '/v1/control-rooms/17', { licenseKey: 7, tokenSha256: 'abc' }, null);
  expect(answer.status).toBe(422);
  const wrong = await server.call(
    'PUT',
    `/v1/control-rooms/${randomUUID()}`,
    { licenseKey: 7, tokenSha256: 'a' },
    null,
  );
  expect(wrong.body.errors.map(({ field }: { field: string }) => field).sort()).toEqual([
    'licenseKey',
    'name',
    'tokenSha256',
  ]);
});

it('registration: refuses the license key as GUID, because GUIDs are public', async () => {
  const room = { ...newRoom(), guid: licenseKey };
  expect(await register(server, room, licenseKey.toUpperCase())).toMatchObject({
    status: 422,
    body: { field: 'controlRoom' },
  });
  expect(await rooms(licenseKey)).toEqual([]);
});

it('registration: a server that does not grant refuses and names the active region', async () => {
  const standby = await world.start({ region: 'virginia' });
  expect(await register(standby, newRoom(), licenseKey)).toMatchObject({
    status: 503,
    body: { code: 'not_granting', activeRegion: 'oregon', address: 'http://oregon.test' },
  });
});

describe('token rotation', () => {
  const rotate = (room: { guid: string; token: string }, body: object, any = server) =>
    any.call('POST', `/v1/control-rooms/${room.guid}/tokens`, body, room.token);

  it('adds a token, and retires the old one later', async () => {
    const room = newRoom();
    await register(server, room, licenseKey);
    const next = drawToken();
    const body = { licenseKey, tokenSha256: sha256Of(next) };
    expect(await rotate(room, body)).toMatchObject({
      status: 201,
      body: { tokenName: `control-room ${room.guid} #2` },
    });
    expect((await rotate(room, body)).status).toBe(200);
    for (const token of [room.token, next]) {
      expect((await other.call('GET', '/v1/pools', undefined, token)).status).toBe(200);
    }
    const last = drawToken();
    const retiring = { licenseKey, tokenSha256: sha256Of(last), retireOthersAfterSeconds: 0 };
    expect((await rotate({ ...room, token: next }, retiring)).status).toBe(201);
    server.forgetTokens();
    expect((await server.call('GET', '/v1/pools', undefined, next)).status).toBe(401);
    expect((await server.call('GET', '/v1/pools', undefined, last)).status).toBe(200);
  });

  it('requires the license key too, so that a stolen token cannot create others', async () => {
    const room = newRoom();
    await register(server, room, licenseKey);
    const body = { licenseKey: randomUUID(), tokenSha256: sha256Of(drawToken()) };
    expect(await rotate(room, body)).toMatchObject({ status: 403, body: { code: 'license_key_unknown' } });
  });

  it('is allowed only to the Control Room itself', async () => {
    const [room, neighbour] = [newRoom(), newRoom()];
    await register(server, room, licenseKey);
    await register(server, neighbour, licenseKey);
    const body = { licenseKey, tokenSha256: sha256Of(drawToken()) };
    expect(await rotate({ ...room, token: neighbour.token }, body)).toMatchObject({
      status: 404,
      body: { code: 'control_room_not_found' },
    });
  });

  it('allows at most five valid tokens', async () => {
    const room = newRoom();
    await register(server, room, licenseKey);
    const add = () => rotate(room, { licenseKey, tokenSha256: sha256Of(drawToken()) });
    for (let made = 2; made <= 5; made++) expect((await add()).status).toBe(201);
    expect(await add()).toMatchObject({ status: 409, body: { code: 'too_many_tokens' } });
  });
});

describe('recovery', () => {
  const recover = (guid: string, body: object, token = TOKENS.admin) =>
    server.call('POST', `/v1/control-rooms/${guid}/recovery`, body, token);

  it('revokes the tokens and opens one registration', async () => {
    const room = newRoom();
    await register(server, room, licenseKey);
    expect(await recover(room.guid, { reason: 'the host burned down' })).toMatchObject({
      status: 200,
      body: { controlRoom: room.guid, tokensRevoked: 1 },
    });
    expect((await server.call('GET', '/v1/pools', undefined, room.token)).status).toBe(401);
    expect(await register(server, room, licenseKey)).toMatchObject({
      status: 409,
      body: { code: 'control_room_registered' },
    });
    const reborn = { ...room, token: drawToken() };
    expect(await register(server, reborn, licenseKey, { name: 'Plant 7, rebuilt' })).toMatchObject({ status: 201 });
    expect((await server.call('GET', '/v1/pools', undefined, reborn.token)).status).toBe(200);
    expect((await rooms(room.guid))[0]).toMatchObject({ name: 'Plant 7, rebuilt' });
    // The opening has served.
    expect((await register(server, { ...room, token: drawToken() }, licenseKey)).status).toBe(409);
    expect((await register(server, reborn, licenseKey)).status).toBe(200);
  });

  it('expires', async () => {
    const room = newRoom();
    await register(server, room, licenseKey);
    await recover(room.guid, { reason: 'lost', openForSeconds: 60 });
    await world.database.query('update control_room set recoverable_until = clock_timestamp() where id = $1', [
      room.guid,
    ]);
    expect((await register(server, { ...room, token: drawToken() }, licenseKey)).status).toBe(409);
  });

  it('is allowed only to administrators and requires a reason', async () => {
    const room = newRoom();
    await register(server, room, licenseKey);
    expect((await recover(room.guid, { reason: 'x' }, room.token)).status).toBe(403);
    expect(await recover(room.guid, {})).toMatchObject({ status: 422, body: { field: 'reason' } });
    expect(await recover(randomUUID(), { reason: 'x' })).toMatchObject({
      status: 404,
      body: { code: 'control_room_not_found' },
    });
    await recover(room.guid, { reason: 'the host burned down' });
    const revoked = await world.database.query(
      'select revoked_by, revoked_because from api_token where control_room = $1',
      [room.guid],
    );
    expect(revoked).toEqual([{ revoked_by: 'admin', revoked_because: 'the host burned down' }]);
  });
});

describe('reading Control Rooms', () => {
  it('shows a Control Room only those of the same license', async () => {
    const beta = await addLicense(world, { licenseId: 'lic-gamma' });
    const [mine, neighbour, stranger] = [newRoom(), newRoom(), newRoom()];
    await register(server, mine, licenseKey);
    await register(server, neighbour, licenseKey);
    await register(server, stranger, beta);
    const list = async (token: string, query = '') =>
      (await server.call('GET', `/v1/control-rooms?limit=1000${query}`, undefined, token)).body.controlRooms.map(
        (room: { controlRoom: string }) => room.controlRoom,
      );
    expect(await list(mine.token)).toEqual(expect.arrayContaining([mine.guid, neighbour.guid]));
    expect(await list(mine.token)).not.toContain(stranger.guid);
    expect(await list(mine.token, '&licenseId=lic-gamma')).toEqual([]);
    expect(await list(TOKENS.admin, '&licenseId=lic-gamma')).toEqual([stranger.guid]);
    expect((await server.call('GET', `/v1/control-rooms/${stranger.guid}`, undefined, mine.token)).status).toBe(404);
    expect((await server.call('GET', `/v1/control-rooms/${stranger.guid}`, undefined, stranger.token)).body).toEqual(
      expect.objectContaining({ controlRoom: stranger.guid, licenseId: 'lic-gamma', state: 'active', use: [] }),
    );
  });

  it('shows the group that an administrator assigned', async () => {
    const room = newRoom();
    await register(server, room, licenseKey);
    const move = (group: string | null, token = TOKENS.admin) =>
      server.call('PUT', `/v1/control-rooms/${room.guid}/group`, { group, reason: 'moved' }, token);
    expect((await move('night', room.token)).status).toBe(403);
    expect((await move('night')).status).toBe(204);
    expect((await rooms(room.guid))[0]).toMatchObject({ group_name: 'night' });
    expect((await move(null)).status).toBe(204);
    expect((await rooms(room.guid))[0]).toMatchObject({ group_name: null });
  });
});

it('database role: can create and revoke credentials through the functions only', async () => {
  const attempts = [
    `insert into api_token (name, token_sha256, scopes) values ('x', sha256('x'), '{admin}')`,
    `update api_token set scopes = '{admin}'`,
    `delete from api_token`,
    `insert into control_room (id, license_id, name) values (gen_random_uuid(), 'lic-1', 'x')`,
    `update control_room set recoverable_until = now()`,
    `update control_room set license_id = 'lic-1'`,
    `select evergrant_add_room_token(gen_random_uuid(), sha256('x'), 'x')`,
  ];
  for (const attempt of attempts) {
    const tried = world.database.as('evergrant_server', (client) => client.query(attempt));
    await expect(tried).rejects.toThrow(/permission denied/);
  }
});
