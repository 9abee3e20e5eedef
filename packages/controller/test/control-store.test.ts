import {
  BatchWriteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb';
import { DynamoControlStore } from '../src/aws/control-store';
import type { ControlRecord } from '../src/core/control-record';
import type { HistoryEntry } from '../src/core/history';

const TABLE = 'authority';
const RECORD = {} as ControlRecord;
const entries = (count: number): HistoryEntry[] =>
  Array.from({ length: count }, (_, n) => ({ kind: 'verdict', detail: { n } }) as unknown as HistoryEntry);

interface Batch {
  readonly atMs: number;
  readonly size: number;
}

let batches: Batch[] = [];
/**
 * Number of items that the table accepts from the first batch, the second, and so on. It accepts all items of later
 * batches.
 */
let taken: number[] = [];

function storeOf(): DynamoControlStore {
  const send = async (command: object): Promise<object> => {
    if (command instanceof GetItemCommand) return { Item: { version: { N: '1' }, record: { S: '{}' } } };
    if (!(command instanceof BatchWriteItemCommand)) return {};
    const items: WriteRequest[] = command.input.RequestItems?.[TABLE] ?? [];
    batches.push({ atMs: performance.now(), size: items.length });
    const left = items.slice(taken.shift() ?? items.length);
    return left.length === 0 ? {} : { UnprocessedItems: { [TABLE]: left } };
  };
  return new DynamoControlStore({ client: { send } as unknown as DynamoDBClient, table: TABLE, nowMs: () => 0 });
}

const pausesMs = (): number[] => batches.slice(1).map(({ atMs }, n) => atMs - (batches[n]?.atMs ?? 0));

beforeEach(() => {
  batches = [];
  taken = [];
});

afterEach(() => jest.restoreAllMocks());

describe('unprocessed history entries', () => {
  it('are sent again, alone, after growing pauses', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0.999);
    taken = [2, 1, 0];
    expect(await storeOf().write({ version: 1, record: RECORD, history: entries(5) })).toBe('written');
    expect(batches.map(({ size }) => size)).toEqual([5, 3, 2, 2]);
    const [first = 0, second = 0, third = 0] = pausesMs();
    expect(first).toBeGreaterThan(190);
    expect(second).toBeGreaterThan(390);
    expect(third).toBeGreaterThan(790);
  });

  it('are sent again after a jittered pause, so that two controllers do not collide again', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0);
    taken = [0, 0, 0];
    await storeOf().write({ version: 1, record: RECORD, history: entries(1) });
    expect(batches).toHaveLength(4);
    expect(pausesMs().reduce((sum, pauseMs) => sum + pauseMs, 0)).toBeLessThan(700);
  });

  it('stay in the record after four attempts, and the next writer files them first', async () => {
    jest.spyOn(Math, 'random').mockReturnValue(0);
    taken = [0, 0, 0, 0];
    const store = storeOf();
    expect(await store.write({ version: 1, record: RECORD, history: entries(3) })).toBe('written');
    expect(batches).toHaveLength(4);
    expect(await store.write({ version: 2, record: RECORD, history: entries(1) })).toBe('written');
    expect(batches.slice(4).map(({ size }) => size)).toEqual([3, 1]);
  });
});
