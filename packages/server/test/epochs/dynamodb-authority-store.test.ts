import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoTable } from '@evergrant/test-support/dynamodb-table';
import { DynamoCheckpointStore } from '../../src/audit/dynamodb/checkpoint-store';
import { connectDynamoAuthorityStore } from '../../src/epochs/dynamodb/authority-store';
import type { ServerAuthorityStore } from '../../src/epochs/store';

const AWS_VARIABLES = {
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
};
const OREGON = { region: 'oregon', server: 'oregon/app-1', renew: true };
const EPOCH = { epoch: 1, region: 'oregon' };
const before = { ...process.env };

let table: DynamoTable;
let store: ServerAuthorityStore;

beforeEach(async () => {
  table = await DynamoTable.listen();
  Object.assign(process.env, AWS_VARIABLES, { AWS_ENDPOINT_URL_DYNAMODB: table.endpoint });
  putRecord();
  store = connectDynamoAuthorityStore({ table: 'authority', awsRegion: 'us-west-2', skewMs: 5_000 });
});

afterEach(async () => {
  await store.close();
  table.close();
  process.env = { ...before };
});

function putRecord(change: Readonly<Record<string, { N: string } | { S: string }>> = {}): void {
  table.put({
    pk: { S: 'authority' },
    sk: { S: 'record' },
    epoch: { N: '1' },
    region: { S: 'oregon' },
    latchedAtMs: { N: '0' },
    opensAtMs: { N: '0' },
    ...change,
  });
}

const stored = (name: string): number => Number(table.item('authority', 'record')?.[name]?.N);
const unprotected = async () => (await store.renew({ ...OREGON, renew: false })).record.unprotected;
const millisecond = () => new Promise((done) => setTimeout(done, 5));

describe('DynamoDB authority store: a late duplicate', () => {
  it('of a renewal does not move the time of the last renewal back', async () => {
    await table.duplicating(() => store.renew(OREGON));
    await millisecond();
    await store.renew({ ...OREGON, server: 'oregon/app-2' });
    const renewedAtMs = stored('renewedAtMs');
    table.deliverDuplicates();
    expect(stored('renewedAtMs')).toBe(renewedAtMs);
    expect(table.item('authority', 'record')?.renewedBy?.S).toBe('oregon/app-2');
  });

  it('of an unprotected record does not replace a newer one', async () => {
    await table.duplicating(() => store.recordUnprotected(EPOCH));
    await millisecond();
    await store.recordUnprotected(EPOCH);
    const newest = await unprotected();
    table.deliverDuplicates();
    expect(await unprotected()).toEqual(newest);
  });

  it('of an unprotected record does not bring back what is cleared', async () => {
    await table.duplicating(() => store.recordUnprotected(EPOCH));
    await store.clearUnprotected(EPOCH, (await unprotected())?.since ?? '');
    expect(await unprotected()).toBeUndefined();
    table.deliverDuplicates();
    expect(await unprotected()).toBeUndefined();
  });

  it('of a clear does not remove a record that was written after it', async () => {
    await store.recordUnprotected(EPOCH);
    const since = (await unprotected())?.since ?? '';
    await table.duplicating(() => store.clearUnprotected(EPOCH, since));
    await store.recordUnprotected(EPOCH);
    const newest = await unprotected();
    expect(newest?.since).not.toBe(since);
    table.deliverDuplicates();
    expect(await unprotected()).toEqual(newest);
  });

  it('of a renewal is refused in a later epoch of the same region', async () => {
    await table.duplicating(() => store.renew(OREGON));
    await millisecond();
    putRecord({ epoch: { N: '3' }, opensAtMs: { N: String(Date.now()) } });
    expect(table.deliverDuplicates()).toBe(0);
  });
});

describe('DynamoDB authority store: a write of a server whose clock is behind', () => {
  it('proves the authority by the newer renewal that refuses it', async () => {
    const newerMs = Date.now() + 2_000;
    putRecord({ renewedAtMs: { N: String(newerMs) }, renewedBy: { S: 'oregon/app-2' } });
    expect(await store.renew(OREGON)).toMatchObject({ renewedEpoch: 1, record: { epoch: 1, open: true } });
    expect(stored('renewedAtMs')).toBe(newerMs);
  });

  it('proves nothing when the newer renewal is that of another region, or of an epoch that is not open', async () => {
    const renewedAtMs = { N: String(Date.now() + 2_000) };
    putRecord({ renewedAtMs, region: { S: 'virginia' } });
    expect((await store.renew(OREGON)).renewedEpoch).toBeUndefined();
    putRecord({ renewedAtMs, opensAtMs: { N: String(Date.now() + 60_000) } });
    expect((await store.renew(OREGON)).renewedEpoch).toBeUndefined();
  });

  it('records unprotected grants under a mark that no earlier clear can remove', async () => {
    const newer = String(Date.now() + 2_000);
    putRecord({ unprotectedEpoch: { N: '1' }, unprotectedSinceMs: { N: newer } });
    expect(await store.recordUnprotected(EPOCH)).toBe(true);
    expect(Number((await unprotected())?.since)).toBeGreaterThan(Number(newer));
    await store.clearUnprotected(EPOCH, newer);
    expect(await unprotected()).toMatchObject({ epoch: 1 });
  });

  it('records no unprotected grants of an epoch that is no longer in force', async () => {
    putRecord({ epoch: { N: '2' }, unprotectedSinceMs: { N: String(Date.now() + 2_000) } });
    expect(await store.recordUnprotected(EPOCH)).toBe(false);
    expect(await unprotected()).toBeUndefined();
  });
});

describe('DynamoDB checkpoint store: a late duplicate', () => {
  it('moves neither a checkpoint nor the time of the last one back', async () => {
    const client = new DynamoDBClient({ region: 'us-west-2' });
    const checkpoints = new DynamoCheckpointStore({ client, table: 'authority' });
    const signed = (number: number, seq: number) => ({ chain: 'system', number, epoch: 1, seq, jws: `jws ${number}` });
    await table.duplicating(() => checkpoints.add([signed(1, 5)], EPOCH));
    await millisecond();
    await checkpoints.add([signed(2, 9)], EPOCH);
    const last = table.item('checkpoint-newest', '#last-stored');
    expect(table.deliverDuplicates()).toBe(0);
    expect(table.item('checkpoint-newest', '#last-stored')).toEqual(last);
    expect(table.item('checkpoint-newest', 'system#000000000000001')?.number?.N).toBe('2');
    await checkpoints.close();
  });
});
