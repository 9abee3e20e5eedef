import { DeleteItemCommand, DynamoDBClient, PutItemCommand, type QueryCommandOutput } from '@aws-sdk/client-dynamodb';
import {
  AUTHORITY_KEY,
  historyKey,
  numberAttribute,
  stringAttribute,
} from '@evergrant/authority-store/authority-table';
import { ClockSkewGuard } from '@evergrant/authority-store/clock-skew-guard';
import { DynamoAuthorityStore } from '@evergrant/controller/aws/authority-store';
import { DynamoControlStore } from '@evergrant/controller/aws/control-store';
import type { HistoryEntry } from '@evergrant/controller/core/history';
import { DynamoCheckpointStore } from '@evergrant/server/audit/dynamodb/checkpoint-store';
import { DynamoControllerHistory } from '@evergrant/server/audit/dynamodb/controller-history';
import type { StoredCheckpoint } from '@evergrant/server/audit/store';
import { connectDynamoAuthorityStore } from '@evergrant/server/epochs/dynamodb/authority-store';
import type { ServerAuthorityStore } from '@evergrant/server/epochs/store';
import { seedAuthority } from '../../lambda/setup/authority';
import type { SetupClients } from '../../lambda/setup/custom-resource';
import { CREDENTIALS, createAuthorityTable, type Emulator, startEmulator } from './support/emulator';

const SETTINGS = { region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } };
let emulator: Emulator;
let dynamo: DynamoDBClient;
let tables = 0;
let table: string;

beforeAll(async () => {
  emulator = await startEmulator('http://127.0.0.1:1');
  dynamo = new DynamoDBClient({ ...SETTINGS, endpoint: emulator.endpoint });
  Object.assign(process.env, CREDENTIALS, { AWS_ENDPOINT_URL: emulator.endpoint });
}, 120_000);

afterAll(() => {
  delete process.env.AWS_ENDPOINT_URL;
  emulator?.close();
});

/** A new deployment: Oregon is active, and epoch 1 is open. */
beforeEach(async () => {
  tables += 1;
  table = `authority-${tables}`;
  await createAuthorityTable(dynamo, table);
  await seedAuthority({ table }, { dynamo } as SetupClients);
});

function controller(): { authority: DynamoAuthorityStore; control: DynamoControlStore } {
  const clock = new ClockSkewGuard({ nowMs: () => Date.now(), skewMs: 60_000 });
  clock.watch(dynamo);
  return {
    authority: new DynamoAuthorityStore({ client: dynamo, table, clock }),
    control: new DynamoControlStore({ client: dynamo, table, nowMs: () => Date.now() }),
  };
}

describe('in our model of AWS, the servers’ authority store', () => {
  let store: ServerAuthorityStore;
  const oregon = { region: 'oregon', server: 'oregon/app-1' };

  beforeEach(() => {
    store = connectDynamoAuthorityStore({ table, awsRegion: 'us-west-2', skewMs: 60_000 });
  });

  afterEach(() => store.close());

  it('renews the epoch of its own region only', async () => {
    expect(await store.renew({ ...oregon, renew: true })).toMatchObject({
      renewedEpoch: 1,
      record: { epoch: 1, region: 'oregon', open: true },
    });
    const virginia = { region: 'virginia', server: 'virginia/app-1', renew: true };
    expect(await store.renew(virginia)).toMatchObject({ renewedEpoch: undefined, record: { region: 'oregon' } });
    expect(await controller().authority.read()).toMatchObject({ renewedBy: 'oregon/app-1' });
  });

  it('reads without a renewal on request', async () => {
    expect(await store.renew({ ...oregon, renew: false })).toMatchObject({ renewedEpoch: undefined });
    expect(await controller().authority.read()).toMatchObject({ renewedBy: undefined });
  });

  it('does not renew a latched epoch that is not open, and returns it', async () => {
    await controller().authority.latch({ fromEpoch: 1, region: 'virginia', operationId: 'op' });
    expect(await store.renew({ ...oregon, renew: true })).toMatchObject({
      renewedEpoch: undefined,
      record: { epoch: 2, region: 'virginia', open: false },
    });
    const virginia = { region: 'virginia', server: 'virginia/app-1', renew: true };
    expect(await store.renew(virginia)).toMatchObject({ renewedEpoch: undefined });
  });

  it('records unprotected grants in its own open epoch only, and the next latch returns the record', async () => {
    expect(await store.recordUnprotected({ epoch: 2, region: 'oregon' })).toBe(false);
    expect(await store.recordUnprotected({ epoch: 1, region: 'virginia' })).toBe(false);
    expect(await store.recordUnprotected({ epoch: 1, region: 'oregon' })).toBe(true);
    await controller().authority.latch({ fromEpoch: 1, region: 'virginia', operationId: 'op' });
    const { record } = await store.renew({ ...oregon, renew: false });
    expect(record.unprotected).toEqual({ epoch: 1, since: expect.any(String) });
    // The epoch has ended, so a record in it is refused.
    expect(await store.recordUnprotected({ epoch: 1, region: 'oregon' })).toBe(false);
  });

  it('clears only the record that it has read', async () => {
    const epoch = { epoch: 1, region: 'oregon' };
    await store.recordUnprotected(epoch);
    const since = (await store.renew({ ...oregon, renew: false })).record.unprotected?.since ?? '';
    await store.clearUnprotected(epoch, String(Number(since) - 1));
    expect((await store.renew({ ...oregon, renew: false })).record.unprotected).toEqual({ epoch: 1, since });
    await store.clearUnprotected(epoch, since);
    expect((await store.renew({ ...oregon, renew: false })).record.unprotected).toBeUndefined();
  });

  it('returns unknown when the record is incomplete', async () => {
    await dynamo.send(new PutItemCommand({ TableName: table, Item: { ...AUTHORITY_KEY, epoch: numberAttribute(1) } }));
    await expect(store.renew({ ...oregon, renew: false })).rejects.toMatchObject({ code: 'database_failure' });
  });
});

describe('in our model of AWS, the servers’ checkpoint store', () => {
  let store: DynamoCheckpointStore;
  const looked: number[] = [];
  const epoch = { epoch: 1, region: 'oregon' } as const;

  beforeEach(() => {
    const client = new DynamoDBClient({ ...SETTINGS, endpoint: emulator.endpoint });
    client.middlewareStack.add((next) => async (args) => {
      const answer = await next(args);
      const { ScannedCount: count } = answer.output as Partial<QueryCommandOutput>;
      if (count !== undefined) looked.push(count);
      return answer;
    });
    store = new DynamoCheckpointStore({ client, table });
    looked.length = 0;
  });

  afterEach(() => store.close());

  const checkpoint = (chain: string, place: number, of = 1): StoredCheckpoint => {
    return { chain, number: place, epoch: of, seq: place * 10, jws: `${chain}.${place}` };
  };
  const three = (chain: string) => [1, 2, 3].map((place) => checkpoint(chain, place));
  const names = (page: { checkpoints: readonly { jws: string }[] }) => page.checkpoints.map(({ jws }) => jws);

  it('accepts them from the holder of the epoch, each number once', async () => {
    expect(await store.add(three('a'), { epoch: 2, region: 'oregon' })).toBe(0);
    expect(await store.add(three('a'), { epoch: 1, region: 'virginia' })).toBe(0);
    expect(await store.add(three('a'), epoch)).toBe(3);
    expect(await store.add([{ ...checkpoint('a', 3), jws: 'another' }, checkpoint('a', 4)], epoch)).toBe(1);
    expect(names(await store.read({ limit: 10 }))).toEqual(['a.1', 'a.2', 'a.3', 'a.4']);
  });

  it('returns the newest of each chain and the age of the last write', async () => {
    expect(await store.newest(['a'])).toEqual({ checkpoints: [], idleMs: Number.POSITIVE_INFINITY });
    await store.add([...three('a'), checkpoint('b', 1)], epoch);
    const { checkpoints, idleMs } = await store.newest(['a', 'b', 'never']);
    expect(checkpoints).toEqual([checkpoint('a', 3), checkpoint('b', 1)]);
    expect(idleMs).toBeLessThan(60_000);
  });

  it('returns the newest of more chains than one request covers', async () => {
    const chains = Array.from({ length: 30 }, (_, index) => `chain-${String(index).padStart(2, '0')}`);
    const newest = chains.map((chain) => checkpoint(chain, 1));
    await store.add(newest, epoch);
    expect((await store.newest(chains)).checkpoints).toEqual(newest);
  });

  it('returns the newest of each chain in each earlier epoch', async () => {
    await store.add(three('a'), epoch);
    await controller().authority.latch({ fromEpoch: 1, region: 'virginia', operationId: 'op' });
    await store.add([checkpoint('a', 4, 2)], { epoch: 2, region: 'virginia' });
    expect(await store.newestBefore(2)).toEqual([checkpoint('a', 3)]);
    expect(await store.newestBefore(3)).toEqual([checkpoint('a', 3), checkpoint('a', 4, 2)]);
  });

  it('reads pages by chain and number without extra reads', async () => {
    await store.add([...three('a'), ...three('b'), ...three('c')], epoch);
    const all: string[] = [];
    let after: { chain: string; number: number } | undefined;
    for (;;) {
      looked.length = 0;
      const page = await store.read({ limit: 2, after });
      expect(looked.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(2);
      all.push(...names(page));
      const last = page.checkpoints.at(-1);
      if (last === undefined) break;
      after = last;
    }
    expect(all).toEqual(['a', 'b', 'c'].flatMap((chain) => [1, 2, 3].map((place) => `${chain}.${place}`)));
  });

  it('reads the requested chains when the last page ended in another chain', async () => {
    await store.add([...three('a'), ...three('b'), ...three('c')], epoch);
    expect(names(await store.read({ chains: ['c', 'a'], limit: 4 }))).toEqual(['a.1', 'a.2', 'a.3', 'c.1']);
    const after = { chain: 'b', number: 2 };
    expect(names(await store.read({ chains: ['c', 'a'], after, limit: 4 }))).toEqual(['c.1', 'c.2', 'c.3']);
    expect(names(await store.read({ after, limit: 9 }))).toEqual(['b.3', 'c.1', 'c.2', 'c.3']);
  });

  it('omits checkpoints after a moment, with at most one extra read per chain', async () => {
    await store.add([checkpoint('a', 1), checkpoint('b', 1)], epoch);
    const until = new Date().toISOString();
    await new Promise((resume) => setTimeout(resume, 5));
    const later = Array.from({ length: 20 }, (_, index) => checkpoint('a', index + 2));
    await store.add([...later, checkpoint('b', 2)], epoch);
    looked.length = 0;
    const page = await store.read({ until, limit: 3 });
    expect(page).toMatchObject({ asOf: until });
    expect(names(page)).toEqual(['a.1', 'b.1']);
    expect(looked.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(3 + 3);
  });
});

describe('in our model of AWS, the controller’s stores', () => {
  it('latch only from the expected epoch, and open once for their own operation', async () => {
    const { authority } = controller();
    const latch = { fromEpoch: 1, region: 'virginia', operationId: 'op' } as const;
    expect(await authority.latch({ ...latch, fromEpoch: 7 })).toBe('conflict');
    expect(await authority.latch(latch)).toBe('written');
    // The same write again, as after a lost response, and the write of another controller.
    expect(await authority.latch(latch)).toBe('written');
    expect(await authority.latch({ ...latch, operationId: 'other' })).toBe('conflict');
    expect(await authority.read()).toMatchObject({ epoch: 2, region: 'virginia', opensAtMs: undefined });
    const lapsedAtMs = Date.now() + 60_000;
    expect(await authority.open({ epoch: 2, operationId: 'other', lapsedAtMs })).toBe('conflict');
    expect(await authority.open({ epoch: 2, operationId: 'op', lapsedAtMs })).toBe('written');
    expect(await authority.open({ epoch: 2, operationId: 'op', lapsedAtMs: lapsedAtMs + 1 })).toBe('conflict');
    expect(await authority.read()).toMatchObject({ opensAtMs: lapsedAtMs });
  });

  it('refuse a writer with an older version, without a loss of history', async () => {
    const [one, other] = [controller().control, controller().control];
    const { version, record } = await one.read();
    const entry = (command: string) => ({ kind: 'operator', detail: { command, by: 'test', reason: '' } }) as const;
    expect(await one.write({ version, record, history: [entry('first'), entry('second')] })).toBe('written');
    expect(await other.write({ version, record, history: [entry('stale')] })).toBe('conflict');
    const now = await other.read();
    expect(now.version).toBe(version + 1);
    expect(await other.write({ ...now, history: [entry('third')] })).toBe('written');
    const history = await one.history(10);
    expect(history.map(({ id, detail }) => [id, (detail as { command: string }).command])).toEqual([
      [3, 'third'],
      [2, 'second'],
      [1, 'first'],
    ]);
    expect(await one.history(1)).toHaveLength(1);
  });

  it('name the missing table when nothing is deployed', async () => {
    table = `nothing-${tables}`;
    const { authority, control } = controller();
    await expect(authority.read()).rejects.toMatchObject({ code: 'ResourceNotFoundException' });
    await expect(control.read()).rejects.toMatchObject({ code: 'ResourceNotFoundException' });
    await createAuthorityTable(dynamo, table);
    await expect(authority.read()).rejects.toMatchObject({ code: 'no_authority_record' });
    await expect(control.read()).rejects.toMatchObject({ code: 'no_control_record' });
  });

  it('refuse to compare times when their clock differs too much from the clock of the store', async () => {
    const clock = new ClockSkewGuard({ nowMs: () => Date.now() + 30_000, skewMs: 5_000 });
    const client = new DynamoDBClient({ ...SETTINGS, endpoint: emulator.endpoint });
    clock.watch(client);
    const authority = new DynamoAuthorityStore({ client, table, clock });
    await expect(authority.read()).rejects.toMatchObject({ code: 'clock_skewed', retryable: true });
    client.destroy();
  });

  it('ignore a record of an unknown region', async () => {
    const item = {
      ...AUTHORITY_KEY,
      epoch: numberAttribute(1),
      latchedAtMs: numberAttribute(1),
      region: stringAttribute('ohio'),
    };
    await dynamo.send(new PutItemCommand({ TableName: table, Item: item }));
    await expect(controller().authority.read()).rejects.toMatchObject({ code: 'no_authority_record' });
  });
});

describe('in our model of AWS, the controller’s history as the servers read it', () => {
  let history: DynamoControllerHistory;
  const note = (command: string): HistoryEntry => ({
    kind: 'operator',
    detail: { command, by: 'ada', reason: 'a test' },
  });
  const write = async (...commands: readonly string[]) => {
    const { control } = controller();
    expect(await control.write({ ...(await control.read()), history: commands.map(note) })).toBe('written');
  };
  const told = async (id: number, limit = 100) =>
    (await history.after(id, limit)).map((entry) => [entry.id, entry.detail.command]);

  beforeEach(() => {
    history = new DynamoControllerHistory({
      client: new DynamoDBClient({ ...SETTINGS, endpoint: emulator.endpoint }),
      table,
    });
  });

  afterEach(() => history.close());

  it('is read from any position, oldest first', async () => {
    expect(await told(0)).toEqual([]);
    await write('pause', 'arm');
    await write('failover');
    expect(await told(0)).toEqual([
      [1, 'pause'],
      [2, 'arm'],
      [3, 'failover'],
    ]);
    expect(await told(1, 1)).toEqual([[2, 'arm']]);
    expect(await told(3)).toEqual([]);
  });

  it('contains the entries of the control item once, without gaps', async () => {
    await write('pause', 'arm');
    await write('failover', 'failback');
    // The state after a controller that ended before it filed every entry. Of the two, the later one was filed.
    await dynamo.send(new DeleteItemCommand({ TableName: table, Key: historyKey(3) }));
    expect((await told(0)).map(([id]) => id)).toEqual([1, 2, 3, 4]);
    expect((await told(0, 3)).map(([id]) => id)).toEqual([1, 2, 3]);
    expect((await told(2)).map(([id]) => id)).toEqual([3, 4]);
  });

  it('ends before the entries of the control item when a page is full at one megabyte', async () => {
    for (let place = 1; place <= 10; place += 1) await write('x'.repeat(150_000));
    const first = (await history.after(0, 100)).map(({ id }) => id);
    expect(first.length).toBeLessThan(10);
    expect(first).toEqual(Array.from(first, (_, index) => index + 1));
    const rest = (await history.after(first.length, 100)).map(({ id }) => id);
    expect([...first, ...rest]).toEqual(Array.from({ length: 10 }, (_, index) => index + 1));
  });
});
