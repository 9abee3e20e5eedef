import { randomUUID } from 'node:crypto';
import { giveLicenseKey, newRoom, register, type TestRoom } from '@evergrant/test-support/server/control-rooms';
import { PRODUCT, type RunningServer, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';

let world: TestWorld;
let server: RunningServer;
let licenseKey: string;

beforeEach(async () => {
  world = await TestWorld.create();
  server = await world.startGranting();
  licenseKey = await giveLicenseKey(world);
});

afterEach(() => world.close());

/** Ten seats are sold of it. */
const FEATURE = 'studio';

async function registered(group?: string): Promise<TestRoom> {
  const room = newRoom();
  expect((await register(server, room, licenseKey, group === undefined ? {} : { group })).status).toBe(201);
  return room;
}

const reserve = (body: object, token = TOKENS.admin) =>
  server.call('PUT', '/v1/reservations', { licenseId: 'lic-1', feature: FEATURE, reason: 'shift', ...body }, token);
const take = async (room: TestRoom, seats: number) =>
  server.call(
    'PUT',
    `/v1/leases/${randomUUID()}`,
    { product: PRODUCT, feature: FEATURE, seats, holder: 'x' },
    room.token,
  );
const list = async (token = TOKENS.admin) =>
  (await server.call('GET', '/v1/reservations', undefined, token)).body.reservations;

it('reservation: keeps others from taking reserved seats', async () => {
  const [owner, neighbour] = [await registered(), await registered()];
  expect(await reserve({ controlRoom: owner.guid.toUpperCase(), seats: 4 })).toMatchObject({
    status: 200,
    body: { seatsReserved: 4 },
  });
  expect((await take(neighbour, 7)).status).toBe(409);
  expect((await take(neighbour, 6)).status).toBe(201);
  expect((await take(owner, 4)).status).toBe(201);
});

it('reservation: is shared within a group', async () => {
  const [night, nightToo, day] = [await registered('night'), await registered('night'), await registered()];
  expect((await reserve({ group: 'night', seats: 6 })).status).toBe(200);
  expect((await take(day, 5)).status).toBe(409);
  expect((await take(night, 3)).status).toBe(201);
  expect((await take(nightToo, 3)).status).toBe(201);
  expect((await take(day, 4)).status).toBe(201);
});

it('reservation: is refused for seats that others hold', async () => {
  const [owner, neighbour] = [await registered(), await registered()];
  const { body: held } = await take(neighbour, 7);
  expect(await reserve({ controlRoom: owner.guid, seats: 4 })).toMatchObject({
    status: 409,
    body: { code: 'reserved_seats_in_use', seatsFree: 3, seatsMissing: 1 },
  });
  expect(await list()).toEqual([]);
  await server.call('DELETE', `/v1/leases/${held.leaseId}`, {}, neighbour.token);
  expect((await reserve({ controlRoom: owner.guid, seats: 4 })).status).toBe(200);
});

it('reservation: is refused beyond the sold seats', async () => {
  const owner = await registered();
  await reserve({ controlRoom: owner.guid, seats: 6 });
  expect(await reserve({ group: 'night', seats: 5 })).toMatchObject({
    status: 409,
    body: { code: 'more_reserved_than_sold', seats: 10, seatsReserved: 11 },
  });
  expect((await reserve({ group: 'night', seats: 4 })).status).toBe(200);
  // A Control TestRoom's own is made smaller before another's is made larger.
  expect((await reserve({ controlRoom: owner.guid, seats: 5 })).status).toBe(200);
  expect((await reserve({ group: 'night', seats: 5 })).status).toBe(200);
});

it('reservation: can be changed, listed and removed', async () => {
  const owner = await registered();
  await reserve({ controlRoom: owner.guid, seats: 3 });
  await reserve({ controlRoom: owner.guid, seats: 2 });
  expect(await list(owner.token)).toEqual([
    {
      licenseId: 'lic-1',
      product: PRODUCT,
      feature: FEATURE,
      controlRoom: owner.guid,
      group: null,
      seats: 2,
      source: 'administrator',
    },
  ]);
  expect((await reserve({ controlRoom: owner.guid, seats: 0 })).body).toEqual({ seatsReserved: 0 });
  expect(await list()).toEqual([]);
});

it('reservation: a reservation of the license file cannot be changed', async () => {
  const owner = await registered();
  await world.database.query(
    `insert into reservation (pool_id, control_room, seats, source)
     select id, $1, 2, 'license_file' from pool where feature = '${FEATURE}'`,
    [owner.guid],
  );
  for (const seats of [0, 1, 5]) {
    expect(await reserve({ controlRoom: owner.guid, seats })).toMatchObject({
      status: 409,
      body: { code: 'reservation_of_license' },
    });
  }
});

it('reservation: reports invalid input', async () => {
  const owner = await registered();
  expect(await reserve({ seats: 1 })).toMatchObject({ status: 422, body: { field: 'controlRoom' } });
  expect(await reserve({ controlRoom: owner.guid, group: 'night', seats: 1 })).toMatchObject({ status: 422 });
  expect(await reserve({ controlRoom: owner.guid, seats: -1 })).toMatchObject({
    status: 422,
    body: { field: 'seats' },
  });
  expect(await reserve({ controlRoom: owner.guid, seats: 1, licenseId: 'lic-9' })).toMatchObject({
    status: 404,
    body: { code: 'entitlement_not_found' },
  });
  expect((await reserve({ controlRoom: owner.guid, seats: 1 }, owner.token)).status).toBe(403);
});

it('reservation: holds under concurrent checkouts and reservations', async () => {
  const [owner, ...others] = [await registered(), await registered(), await registered(), await registered()];
  const answers = await Promise.all([
    ...others.flatMap((room) => [1, 2, 3].map(() => take(room, 1))),
    ...[2, 4, 6].map((seats) => reserve({ controlRoom: owner!.guid, seats })),
  ]);
  expect(answers.some(({ status }) => status >= 500)).toBe(false);
  const [reservation] = await list();
  if (reservation) expect((await take(owner!, reservation.seats)).status).toBe(201);
});

it('reservation: the database rejects more than the sold seats', async () => {
  const insert = world.database.query(
    `insert into reservation (pool_id, group_name, seats, source)
     select id, 'night', seats + 1, 'administrator' from pool where feature = '${FEATURE}'`,
  );
  await expect(insert).rejects.toThrow(/more seats of pool \d+ are reserved than were sold/);
  await reserve({ group: 'night', seats: 8 });
  const shrink = world.database.query(`update pool set seats = 7 where feature = '${FEATURE}'`);
  await expect(shrink).rejects.toThrow(/more seats/);
});
