import { randomUUID } from 'node:crypto';
import { eventually } from '@evergrant/test-support/eventually';
import { drawToken, giveLicenseKey, newRoom, register } from '@evergrant/test-support/server/control-rooms';
import { type RunningServer, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';
import { sha256Of } from '../../src/api-tokens/api-token-verifier';

let world: TestWorld;
let server: RunningServer;
let other: RunningServer;

beforeAll(async () => {
  world = await TestWorld.create();
  server = await world.startGranting();
  other = await world.startGranting();
});

afterAll(() => world.close());

const create = (name: string, token: string, more: object = {}) =>
  server.call(
    'POST',
    '/v1/api-tokens',
    { name, scopes: ['read'], tokenSha256: sha256Of(token), ...more },
    TOKENS.admin,
  );
const revoke = (name: string, body: object = {}) =>
  server.call('DELETE', `/v1/api-tokens/${encodeURIComponent(name)}`, body, TOKENS.admin);
const reads = async (any: RunningServer, token: string) =>
  (await any.call('GET', '/v1/pools', undefined, token)).status;

it('API token: works at once on every server', async () => {
  const token = drawToken();
  expect((await create('dashboard', token)).status).toBe(201);
  expect((await create('dashboard', token)).status).toBe(204);
  expect(await reads(server, token)).toBe(200);
  expect(await reads(other, token)).toBe(200);
});

it('API token: a revocation is effective at once locally, and everywhere within five seconds', async () => {
  const token = drawToken();
  await create('short-lived', token);
  expect(await reads(other, token)).toBe(200);
  expect((await revoke('short-lived', { reason: 'leaked' })).status).toBe(204);
  const revokedAt = performance.now();
  expect(await reads(server, token)).toBe(401);
  await eventually('the other server has heard', async () => (await reads(other, token)) === 401);
  expect(performance.now() - revokedAt).toBeLessThan(5_000);
  expect((await revoke('short-lived')).status).toBe(204);
});

it('API token: expires by the database clock', async () => {
  const token = drawToken();
  await create('for-a-moment', token, { expiresAt: new Date(Date.now() + 3_600_000).toISOString() });
  expect(await reads(server, token)).toBe(200);
  await world.database.query(`update api_token set expires_at = clock_timestamp() where name = 'for-a-moment'`);
  server.forgetTokens();
  expect(await reads(server, token)).toBe(401);
});

it('API token: name and token are unique', async () => {
  const token = drawToken();
  await create('one', token);
  expect(await create('one', drawToken())).toMatchObject({ status: 409, body: { code: 'api_token_exists' } });
  expect(await create('one', token, { scopes: ['lease'] })).toMatchObject({ body: { code: 'api_token_exists' } });
  expect(await create('two', token)).toMatchObject({ status: 409, body: { code: 'token_in_use' } });
});

it('API token: the last admin token cannot be revoked', async () => {
  const token = drawToken();
  await create('second admin', token, { scopes: ['admin'] });
  expect((await revoke('second admin')).status).toBe(204);
  expect(await revoke('admin')).toMatchObject({ status: 409, body: { code: 'last_admin_token' } });
});

it('API token: the list shows creator and revoker, but no secret', async () => {
  const token = drawToken();
  await create('listed', token, { scopes: ['lease', 'read'] });
  await revoke('listed', { reason: 'no longer needed' });
  const { body } = await server.call('GET', '/v1/api-tokens?limit=1000', undefined, TOKENS.admin);
  expect(body.tokens.find(({ name }: { name: string }) => name === 'listed')).toEqual({
    name: 'listed',
    scopes: ['lease', 'read'],
    controlRoom: null,
    createdAt: expect.any(String),
    createdBy: 'admin',
    expiresAt: null,
    revokedAt: expect.any(String),
    revokedBy: 'admin',
    revokedBecause: 'no longer needed',
  });
  expect(JSON.stringify(body)).not.toContain(sha256Of(token));
});

it('API token: the list is paged', async () => {
  for (const n of [1, 2, 3]) await create(`page-${n}`, drawToken());
  const first = await server.call('GET', '/v1/api-tokens?limit=2&cursor=page-', undefined, TOKENS.admin);
  expect(first.body.tokens.map(({ name }: { name: string }) => name)).toEqual(['page-1', 'page-2']);
  const next = await server.call(
    'GET',
    `/v1/api-tokens?limit=1&cursor=${first.body.nextCursor}`,
    undefined,
    TOKENS.admin,
  );
  expect(next.body.tokens.map(({ name }: { name: string }) => name)).toEqual(['page-3']);
});

it('API token: a token of a Control Room cannot have the scope admin', async () => {
  const room = newRoom();
  await register(server, room, await giveLicenseKey(world));
  const token = drawToken();
  expect(await create('plant-7', token, { scopes: ['admin'], controlRoom: room.guid })).toMatchObject({
    status: 422,
    body: { field: 'scopes' },
  });
  expect((await create('plant-7', token, { scopes: ['lease', 'read'], controlRoom: room.guid })).status).toBe(201);
  const seen = await server.call('GET', `/v1/control-rooms/${room.guid}`, undefined, token);
  expect(seen.body.controlRoom).toBe(room.guid);
  expect(await create('nobody', drawToken(), { controlRoom: randomUUID() })).toMatchObject({
    status: 404,
    body: { code: 'control_room_not_found' },
  });
});

it('API token: only administrators manage tokens', async () => {
  for (const token of [TOKENS.client, TOKENS.reader]) {
    expect((await server.call('GET', '/v1/api-tokens', undefined, token)).status).toBe(403);
    expect((await server.call('DELETE', '/v1/api-tokens/admin', {}, token)).status).toBe(403);
    expect((await server.call('POST', '/v1/api-tokens', {}, token)).status).toBe(403);
  }
  expect(await revoke('nobody')).toMatchObject({ status: 404, body: { code: 'api_token_not_found' } });
});

it.each([
  ['no scope', { scopes: [] }, 'scopes'],
  ['an unknown scope', { scopes: ['root'] }, 'scopes.0'],
  ['the plaintext of a token', { tokenSha256: drawToken() }, 'tokenSha256'],
  ['an invalid date', { expiresAt: 'tomorrow' }, 'expiresAt'],
  ['a date before 1970', { expiresAt: '0361-01-20T03:26:30.4+21:14' }, 'expiresAt'],
  ['a name of a Control Room’s token', { name: 'control-room 1' }, 'name'],
])('refuses %s', async (_what, change, field) => {
  expect(await create('wrong', drawToken(), change)).toMatchObject({ status: 422, body: { field } });
});
