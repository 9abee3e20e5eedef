import { randomUUID } from 'node:crypto';
import { generateKey, publicPart } from '@evergrant/formats/license/keys';
import { eventually } from '@evergrant/test-support/eventually';
import { documentForTest, importForTest } from '@evergrant/test-support/server/test-licenses';
import { LICENSE, PRODUCT, type RunningServer, TestWorld } from '@evergrant/test-support/server/test-world';
import { createVendor } from '@evergrant/test-support/vendor';

/** A thief, or an administrator in a hurry, with the whole database in hand. */
let world: TestWorld;
beforeEach(async () => {
  world = await TestWorld.create();
});
afterEach(() => world.close());

const checkout = (server: RunningServer, seats = 1, feature = 'studio') =>
  server.call('PUT', `/v1/leases/${randomUUID()}`, { product: PRODUCT, feature, seats, holder: 'room' });

describe('integrity check: refuses to grant from edited rows', () => {
  it.each([
    ['seats', `update pool set seats = 1000 where feature = 'studio'`],
    ['overdraft', `update pool set overdraft = 1000 where feature = 'studio'`],
    ['lease TTL', `update pool set lease_ttl_seconds = 86400 where feature = 'studio'`],
    ['maximum borrow duration', `update pool set borrow_seconds_max = 86400 where feature = 'studio'`],
    ['policy on disconnect', `update pool set on_disconnect = 'release' where feature = 'studio'`],
    ['end of validity', `update license set valid_until = 'infinity'`],
    ['start of validity', `update license set valid_from = '-infinity'`],
    ['issue', `update license set version = 99`],
    ['kind', `update license set kind = 'guid', control_room = gen_random_uuid()`],
    ['license key', `update license set license_key_sha256 = sha256('mine')`],
    ['grace period', 'update license set grace_seconds = 1'],
    ['time until suspension', 'update license set suspend_after_seconds = 999999999'],
  ])('the %s', async (what, edit) => {
    await world.database.query(edit);
    const server = await world.startGranting();
    const answer = await checkout(server, 10);
    expect(answer).toMatchObject({ status: 403, body: { code: 'license_tampered', licenseId: 'lic-1' } });
    expect(server.logLines).toContainEqual(
      expect.objectContaining({
        alert: 'license-tampered',
        reason: `its ${what} in the database differs from the signed file; import its license file again`,
      }),
    );
  });

  it('the feature: an invented pool', async () => {
    await world.database.query(
      `insert into pool (license_id, product, feature, seats, lease_ttl_seconds, escrow) values ('lic-1', $1, 'gold', 9, 600, 1)`,
      [PRODUCT],
    );
    const server = await world.startGranting();
    expect((await checkout(server, 1, 'gold')).body.code).toBe('license_tampered');
    expect((await checkout(server, 1, 'studio')).status).toBe(201);
  });

  it.each([
    ['removed', 'update license set file = null'],
    [
      'of another license',
      `update license set file = (select file from license where id = 'lic-2') where id = 'lic-1'`,
    ],
    ['garbled', `update license set file = replace(file, 'A', 'B')`],
  ])('the file: it was %s', async (_what, edit) => {
    await world.importLicense({ ...LICENSE, licenseId: 'lic-2', product: 'Other' });
    await world.database.query(edit);
    const server = await world.startGranting();
    expect((await checkout(server)).body.code).toBe('license_tampered');
  });

  it('also while a server is granting', async () => {
    const server = await world.startGranting();
    expect((await checkout(server, 10)).status).toBe(201);
    await world.database.query(`update pool set seats = 1000 where feature = 'studio'`);
    expect((await checkout(server, 10)).body.code).toBe('license_tampered');
  });
});

it('integrity check: keeps existing leases', async () => {
  const server = await world.startGranting();
  const { body } = await checkout(server);
  await world.database.query('update pool set seats = 1000');
  expect((await checkout(server)).body.code).toBe('license_tampered');
  expect((await server.call('POST', `/v1/leases/${body.leaseId}/heartbeat`)).status).toBe(200);
  expect((await server.call('DELETE', `/v1/leases/${body.leaseId}`)).status).toBe(204);
});

it('integrity check: logs a failure once, exports it, and clears it after an import', async () => {
  const server = await world.startGranting();
  await world.database.query(`update pool set seats = 1000 where feature = 'studio'`);
  const proven = async () => {
    const { body } = await server.call('GET', '/metrics', undefined, null);
    return /evergrant_license_proven\{license="lic-1"\} (\d)/.exec(body)?.[1];
  };
  for (let i = 0; i < 5; i++) expect((await checkout(server)).status).toBe(403);
  await eventually('it is looked up again', async () => {
    await checkout(server);
    return (await proven()) === '0';
  });
  expect(server.logLines.filter(({ alert }) => alert === 'license-tampered')).toHaveLength(1);
  await world.database.as('evergrant_owner', (client) => importForTest(client, LICENSE));
  await eventually('it grants again', async () => (await checkout(server)).status === 201);
  expect(await proven()).toBe('1');
  expect(server.logLines.map(({ announce }) => announce)).toContain('license lic-1 matches its signed file again');
});

it('integrity check: refuses a copied database where the vendor is not trusted', async () => {
  const server = await world.startGranting({ trust: (await createVendor()).trust });
  expect(await checkout(server)).toMatchObject({ status: 403, body: { code: 'license_unknown_key' } });
});

it('integrity check: refuses a license that is bound to another deployment', async () => {
  const { vendor } = world;
  const file = await vendor.issue(
    { ...documentForTest(LICENSE), issue: 2 },
    { encryptTo: { kind: 'deployment', key: publicPart(vendor.deployment) } },
  );
  const at = async (server: RunningServer) => {
    const answer = await server.app.inject({
      method: 'POST',
      url: '/v1/licenses',
      headers: { authorization: 'Bearer admin-token-of-the-tests', 'content-type': 'text/plain' },
      payload: file,
    });
    expect(answer.statusCode).toBe(201);
  };
  const here = await world.startGranting();
  await at(here);
  expect((await checkout(here)).status).toBe(201);
  const elsewhere = await world.startGranting({ deploymentKeys: [await generateKey('deployment')] });
  expect((await checkout(elsewhere)).body.code).toBe('license_not_for_this_deployment');
});

it('integrity check: refuses licenses of a withdrawn key', async () => {
  const { trust, key } = world.vendor;
  const server = await world.startGranting({ trust: { ...trust, withdrawnKeys: [key.kid] } });
  expect((await checkout(server)).body.code).toBe('license_unknown_key');
});
