import { randomUUID } from 'node:crypto';
import { PRODUCT, TestWorld } from '@evergrant/test-support/server/test-world';

let world: TestWorld;

beforeEach(async () => {
  world = await TestWorld.create();
});

afterEach(() => world.close());

/** Checkpoints are off: nothing outside of the database remembers an event. */
const WITHOUT_CHECKPOINTS = { checkpointEveryMs: 3_000_000 };

async function grantInEpoch1(): Promise<void> {
  const oregon = await world.startGranting(WITHOUT_CHECKPOINTS);
  const body = { product: PRODUCT, feature: 'runner', seats: 1, holder: 'room' };
  expect((await oregon.call('PUT', `/v1/leases/${randomUUID()}`, body)).status).toBe(201);
  await oregon.stop();
}

async function openEpoch2InVirginia(): Promise<void> {
  await world.authority.latch({ epoch: 2, region: 'virginia' });
  await world.authority.open();
  const virginia = await world.startGranting({ ...WITHOUT_CHECKPOINTS, region: 'virginia' });
  await virginia.stop();
}

const declarations = () =>
  world.database.query<{ chain: string; epoch: number; body: object }>(
    `select chain, epoch::int, body from audit_event where kind = 'audit_gap' order by at`,
  );

describe('unknown tail of the audit log', () => {
  it('is declared by an epoch that may lack events, without any checkpoint', async () => {
    await grantInEpoch1();
    const [newest] = await world.database.query<{ at: string }>(
      `select to_char(max(at) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at from audit_event`,
    );
    await openEpoch2InVirginia();
    const body = { tailUnknownSince: newest?.at, epoch: 1, possibleLoss: 'escrow' };
    expect(await declarations()).toEqual([{ chain: 'system', epoch: 2, body }]);
  });

  it('is not declared by an epoch after one that was closed in the same database', async () => {
    await grantInEpoch1();
    await world.database.query('select evergrant_close_epoch(1)');
    await openEpoch2InVirginia();
    expect(await declarations()).toEqual([]);
  });
});
