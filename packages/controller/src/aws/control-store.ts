import { setTimeout as wait } from 'node:timers/promises';
import {
  BatchWriteItemCommand,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import {
  CONTROL_KEY,
  HISTORY,
  historyKey,
  type Item,
  numberAttribute,
  numberOf,
  stringAttribute,
  textOf,
} from '@evergrant/authority-store/authority-table';
import { OperatingError } from '@evergrant/core/operating-error';
import type { ControlRecord } from '../core/control-record';
import type { HistoryEntry, RecordedEntry } from '../core/history';
import { fromStored, toStoredJson } from '../core/stored-json';
import type { ControlStore } from '../ports';
import { awsCall, awsFailure } from './sdk';

export interface ControlStoreOptions {
  readonly client: DynamoDBClient;
  readonly table: string;
  readonly nowMs: () => number;
}

/** The other attributes of the control item. `entries` were recorded with the record; each is filed afterwards. */
interface Tail {
  readonly version: number;
  /** Number of the newest entry ever recorded. */
  readonly lastId: number;
  readonly entries: readonly RecordedEntry[];
}

/** Maximum number of items in one BatchWriteItem. */
const BATCH = 25;
const BATCH_TRIES = 4;
/** Doubled with each try, and jittered: less than 1.5 s in all. */
const BATCH_PAUSE_MS = 100;

/**
 * The control record and the history. The table has no transactions, so the history entries of a write are part of the
 * control item and are filed as items of their own afterwards. Their numbers make filing idempotent. The next writer files
 * the entries that its predecessor did not file.
 */
export class DynamoControlStore implements ControlStore {
  readonly #options: ControlStoreOptions;
  #tail: Tail | undefined = undefined;
  #filedVersion = -1;

  constructor(options: ControlStoreOptions) {
    this.#options = options;
  }

  async read(): Promise<{ version: number; record: ControlRecord }> {
    const item = await this.#item();
    const version = numberOf(item, 'version');
    const record = parsed<ControlRecord>(textOf(item, 'record'));
    if (version === undefined || record === undefined) throw noControlRecord();
    this.#tail = tailOf(item, version);
    return { version, record };
  }

  async write(write: { version: number; record: ControlRecord; history: readonly HistoryEntry[] }) {
    const tail = await this.#tailAt(write.version);
    if (tail === undefined) return 'conflict';
    await this.#file(tail);
    const atMs = this.#options.nowMs();
    const entries = write.history.map((entry, index) => ({ ...entry, id: tail.lastId + index + 1, atMs }));
    const next: Tail = { version: write.version + 1, lastId: tail.lastId + entries.length, entries };
    const written = await this.#put(write.record, next);
    if (written === 'conflict') return 'conflict';
    this.#tail = next;
    // The entries are recorded. The next writer files those that could not be filed now.
    await this.#file(next).catch((failure: unknown) => {
      if (!(failure instanceof OperatingError)) throw failure;
    });
    return 'written';
  }

  async history(limit: number): Promise<readonly RecordedEntry[]> {
    const { client, table } = this.#options;
    const [item, { Items: items = [] }] = await Promise.all([
      this.#item(),
      awsCall(
        'the authority store',
        client.send(
          new QueryCommand({
            TableName: table,
            KeyConditionExpression: 'pk = :history',
            ExpressionAttributeValues: { ':history': stringAttribute(HISTORY) },
            ConsistentRead: true,
            ScanIndexForward: false,
            Limit: limit,
          }),
        ),
      ),
    ]);
    const filed = items.flatMap((found) => parsed<RecordedEntry>(textOf(found, 'entry')) ?? []);
    const known = new Set(filed.map(({ id }) => id));
    const unfiled = tailOf(item, 0).entries.filter(({ id }) => !known.has(id));
    return [...unfiled, ...filed].sort((left, right) => right.id - left.id).slice(0, limit);
  }

  async #item(): Promise<Item | undefined> {
    const { client, table } = this.#options;
    const get = new GetItemCommand({ TableName: table, Key: CONTROL_KEY, ConsistentRead: true });
    return (await awsCall('the authority store', client.send(get))).Item;
  }

  /** The tail of this version; undefined if the item has a newer version. */
  async #tailAt(version: number): Promise<Tail | undefined> {
    if (this.#tail?.version !== version) await this.read();
    return this.#tail?.version === version ? this.#tail : undefined;
  }

  async #put(record: ControlRecord, next: Tail): Promise<'written' | 'conflict'> {
    const { client, table } = this.#options;
    const writeId = `${next.version}-${this.#options.nowMs()}-${Math.random()}`;
    try {
      await client.send(
        new UpdateItemCommand({
          TableName: table,
          Key: CONTROL_KEY,
          UpdateExpression: 'SET version = :next, #record = :record, tail = :tail, lastId = :last, writeId = :write',
          ConditionExpression: 'version = :version',
          ExpressionAttributeNames: { '#record': 'record' },
          ExpressionAttributeValues: {
            ':version': numberAttribute(next.version - 1),
            ':next': numberAttribute(next.version),
            ':record': stringAttribute(toStoredJson(record)),
            ':tail': stringAttribute(toStoredJson(next.entries)),
            ':last': numberAttribute(next.lastId),
            ':write': stringAttribute(writeId),
          },
          ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
        }),
      );
      return 'written';
    } catch (cause) {
      if (!(cause instanceof ConditionalCheckFailedException)) throw awsFailure('the authority store', cause);
      // The SDK repeats a write whose answer was lost, so the stored write may be this one.
      return textOf(cause.Item, 'writeId') === writeId ? 'written' : 'conflict';
    }
  }

  /** Writes each entry as a separate item. Idempotent. */
  async #file({ version, entries }: Tail): Promise<void> {
    if (this.#filedVersion === version) return;
    for (let start = 0; start < entries.length; start += BATCH) {
      await this.#fileBatch(entries.slice(start, start + BATCH));
    }
    this.#filedVersion = version;
  }

  async #fileBatch(entries: readonly RecordedEntry[]): Promise<void> {
    const { client, table } = this.#options;
    let left = entries.map((entry) => ({
      PutRequest: { Item: { ...historyKey(entry.id), entry: stringAttribute(toStoredJson(entry)) } },
    }));
    for (let tries = 0; left.length > 0; tries += 1) {
      if (tries === BATCH_TRIES) throw historyFull();
      // Unprocessed items exceeded the throughput, so the retry waits.
      if (tries > 0) await wait(BATCH_PAUSE_MS * 2 ** tries * Math.random());
      const batch = new BatchWriteItemCommand({ RequestItems: { [table]: left } });
      const { UnprocessedItems: unprocessed } = await awsCall('the authority store', client.send(batch));
      left = (unprocessed?.[table] ?? []) as typeof left;
    }
  }
}

function tailOf(item: Item | undefined, version: number): Tail {
  return {
    version,
    lastId: numberOf(item, 'lastId') ?? 0,
    entries: parsed<readonly RecordedEntry[]>(textOf(item, 'tail')) ?? [],
  };
}

function parsed<Value>(json: string | undefined): Value | undefined {
  return json === undefined ? undefined : fromStored<Value>(JSON.parse(json));
}

function noControlRecord(): OperatingError {
  const message = 'the authority store has no complete control record: is the authority stack deployed?';
  return new OperatingError({ code: 'no_control_record', message, retryable: true });
}

function historyFull(): OperatingError {
  const message = `the authority store did not accept history entries in ${BATCH_TRIES} attempts`;
  return new OperatingError({ code: 'history_not_filed', message, retryable: true });
}
