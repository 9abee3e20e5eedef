import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ClockSkewGuard } from '@evergrant/authority-store/clock-skew-guard';
import { DynamoTable } from '@evergrant/test-support/dynamodb-table';
import { DynamoAuthorityStore } from '../src/aws/authority-store';
import { DynamoControlStore } from '../src/aws/control-store';
import type { ControlRecord } from '../src/core/control-record';

const TABLE = 'authority';
let table: DynamoTable;
let client: DynamoDBClient;

beforeEach(async () => {
  table = await DynamoTable.listen();
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  client = new DynamoDBClient({ region: 'us-west-2', endpoint: table.endpoint, credentials });
});

afterEach(() => {
  client.destroy();
  table.close();
});

describe('DynamoDB authority store of the controller', () => {
  it('refuses a late duplicate of a latch and of an opening', async () => {
    table.put({
      pk: { S: 'authority' },
      sk: { S: 'record' },
      epoch: { N: '1' },
      region: { S: 'oregon' },
      latchedAtMs: { N: '0' },
      opensAtMs: { N: '0' },
    });
    const clock = new ClockSkewGuard({ nowMs: () => Date.now(), skewMs: 5_000 });
    clock.watch(client);
    const store = new DynamoAuthorityStore({ client, table: TABLE, clock });
    await table.duplicating(async () => {
      await store.latch({ fromEpoch: 1, region: 'virginia', operationId: 'failover' });
      await store.open({ epoch: 2, operationId: 'failover', lapsedAtMs: Date.now() });
    });
    await store.latch({ fromEpoch: 2, region: 'oregon', operationId: 'switchover' });
    const latched = table.item('authority', 'record');
    expect(table.deliverDuplicates()).toBe(0);
    expect(table.item('authority', 'record')).toEqual(latched);
  });
});

describe('DynamoDB control store', () => {
  it('refuses a late duplicate of a write', async () => {
    table.put({ pk: { S: 'control' }, sk: { S: 'record' }, version: { N: '1' }, record: { S: '{}' } });
    const store = new DynamoControlStore({ client, table: TABLE, nowMs: () => Date.now() });
    const record = {} as ControlRecord;
    await table.duplicating(() => store.write({ version: 1, record, history: [] }));
    await store.write({ version: 2, record, history: [] });
    expect(table.deliverDuplicates()).toBe(0);
    expect(table.item('control', 'record')?.version?.N).toBe('3');
  });
});
