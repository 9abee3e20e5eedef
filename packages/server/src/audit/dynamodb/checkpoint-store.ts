import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  paginateQuery,
  QueryCommand,
  type QueryCommandInput,
} from '@aws-sdk/client-dynamodb';
import {
  AUTHORITY_KEY,
  type Item,
  numberAttribute,
  numberOf,
  regionOf,
  stringAttribute,
  textOf,
} from '@evergrant/authority-store/authority-table';
import type { ExpectedEpoch } from '../../epochs/store';
import { DatabaseFailure } from '../../platform/database-failure';
import type { CheckpointFilter, CheckpointPage, CheckpointStore, StoredCheckpoint } from '../store';

/** Items `checkpoint / chain#number`, and for each chain and epoch its newest one as `checkpoint-newest / chain#epoch`. */
const CHECKPOINT = 'checkpoint';
const NEWEST = 'checkpoint-newest';
const LAST_STORED = { pk: stringAttribute(NEWEST), sk: stringAttribute('#last-stored') };

const placed = (chain: string, value: number): string => `${chain}#${String(value).padStart(15, '0')}`;

/** Maximum number of concurrent queries. */
const CONCURRENT_QUERIES_MAX = 25;

interface Range {
  readonly from: string;
  readonly to: string;
}

interface Section extends Range {
  readonly limit: number;
  readonly newestFirst?: boolean;
}

/** Bounds that sort before and after every chain name. */
const EVERY_CHAIN: Range = { from: '\u0001', to: '\uffff' };

const rangeOf = (chain: string): Range => ({ from: `${chain}#`, to: endOf(chain) });
const endOf = (chain: string): string => `${chain}#~`;
const latest = (left: string, right: string): string => (left > right ? left : right);

/**
 * Checkpoints in the authority table. The table has no transactions, so `add` reads the epoch consistently right before
 * it writes. A checkpoint that a region stores while it loses its epoch is still signed in that epoch.
 */
export class DynamoCheckpointStore implements CheckpointStore {
  readonly #client: DynamoDBClient;
  readonly #table: string;

  constructor({ client, table }: { client: DynamoDBClient; table: string }) {
    this.#client = client;
    this.#table = table;
  }

  async newest(chains: readonly string[]): Promise<{ checkpoints: readonly StoredCheckpoint[]; idleMs: number }> {
    const last = await this.#item(LAST_STORED);
    const found: StoredCheckpoint[][] = [];
    for (let first = 0; first < chains.length; first += CONCURRENT_QUERIES_MAX) {
      const some = chains.slice(first, first + CONCURRENT_QUERIES_MAX);
      found.push(...(await Promise.all(some.map((chain) => this.#newestOf(chain)))));
    }
    const storedAtMs = numberOf(last, 'storedAtMs');
    return {
      checkpoints: found.flat(),
      idleMs: storedAtMs === undefined ? Number.POSITIVE_INFINITY : Date.now() - storedAtMs,
    };
  }

  async newestBefore(epoch: number): Promise<readonly StoredCheckpoint[]> {
    const all = await this.#newestOfAll();
    return all.map(checkpointOf).filter((checkpoint) => checkpoint.epoch < epoch);
  }

  async add(checkpoints: readonly StoredCheckpoint[], expected: ExpectedEpoch): Promise<number> {
    const authority = await this.#item(AUTHORITY_KEY);
    if (numberOf(authority, 'epoch') !== expected.epoch || regionOf(authority) !== expected.region) return 0;
    let taken = 0;
    for (const checkpoint of checkpoints) {
      const { chain, epoch } = checkpoint;
      const content = { ...itemOf(checkpoint), storedAtMs: numberAttribute(Date.now()) };
      const isNew = await this.#putIf('attribute_not_exists(pk)', {
        pk: stringAttribute(CHECKPOINT),
        sk: stringAttribute(placed(chain, checkpoint.number)),
        ...content,
      });
      if (!isNew) continue;
      taken += 1;
      await this.#putIf(
        'attribute_not_exists(pk) OR #value < :value',
        { pk: stringAttribute(NEWEST), sk: stringAttribute(placed(chain, epoch)), ...content },
        { name: 'number', value: checkpoint.number },
      );
    }
    if (taken > 0) await this.#noteStored(Date.now());
    return taken;
  }

  /**
   * By chain and number, as the items are ordered. What was stored after `until` ends its chain: numbers grow with time.
   * So no more is looked at than is returned, and one item more of each chain.
   */
  async read({ chains, after, until, limit }: CheckpointFilter): Promise<CheckpointPage> {
    const asOf = until ?? new Date().toISOString();
    const found: StoredCheckpoint[] = [];
    for (const { from, to } of chains === undefined ? [EVERY_CHAIN] : [...new Set(chains)].sort().map(rangeOf)) {
      const beginning = after === undefined ? from : latest(from, placed(after.chain, after.number + 1));
      const limits = { limit: limit - found.length, untilMs: Date.parse(asOf) };
      found.push(...(await this.#readRange({ from: beginning, to }, limits)));
    }
    return { checkpoints: found.map(({ chain, number: place, jws }) => ({ chain, number: place, jws })), asOf };
  }

  async #readRange({ from, to }: Range, { limit, untilMs }: { limit: number; untilMs: number }) {
    const found: StoredCheckpoint[] = [];
    for (let next: string | undefined = from; next !== undefined && next <= to && found.length < limit; ) {
      const { items, isLast } = await this.#section({ from: next, to, limit: limit - found.length });
      const tooNew = items.find((item) => (numberOf(item, 'storedAtMs') ?? 0) > untilMs);
      const shown = tooNew === undefined ? items : items.slice(0, items.indexOf(tooNew));
      found.push(...shown.map(checkpointOf));
      if (tooNew !== undefined) next = endOf(checkpointOf(tooNew).chain);
      else next = isLast ? undefined : `${textOf(items.at(-1), 'sk')}\u0000`;
    }
    return found;
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }

  async #newestOf(chain: string): Promise<StoredCheckpoint[]> {
    const { from, to } = rangeOf(chain);
    const { items } = await this.#section({ from, to, limit: 1, newestFirst: true });
    return items.map(checkpointOf);
  }

  async #item(key: Item): Promise<Item | undefined> {
    const get = new GetItemCommand({ TableName: this.#table, Key: { ...key }, ConsistentRead: true });
    return (await sendRequest(this.#client.send(get))).Item;
  }

  /** Reads one page of checkpoints between two sort keys, both included. */
  async #section({ from, to, limit, newestFirst = false }: Section): Promise<{ items: Item[]; isLast: boolean }> {
    const query = new QueryCommand({
      TableName: this.#table,
      ConsistentRead: true,
      KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
      ExpressionAttributeValues: {
        ':pk': stringAttribute(CHECKPOINT),
        ':from': stringAttribute(from),
        ':to': stringAttribute(to),
      },
      ScanIndexForward: !newestFirst,
      Limit: limit,
    });
    const { Items: items = [], LastEvaluatedKey: more } = await sendRequest(this.#client.send(query));
    return { items, isLast: more === undefined };
  }

  /** Reads the newest checkpoint of each chain and epoch. Their number grows only with pools and failovers. */
  async #newestOfAll(): Promise<Item[]> {
    const query: QueryCommandInput = {
      TableName: this.#table,
      ConsistentRead: true,
      KeyConditionExpression: 'pk = :pk AND sk > :last',
      ExpressionAttributeValues: { ':pk': stringAttribute(NEWEST), ':last': LAST_STORED.sk },
    };
    const items: Item[] = [];
    const pages = paginateQuery({ client: this.#client }, query)[Symbol.asyncIterator]();
    for (let page = await sendRequest(pages.next()); page.done !== true; page = await sendRequest(pages.next())) {
      items.push(...(page.value.Items ?? []));
    }
    return items;
  }

  /** The time only grows: a late duplicate of an earlier write is refused. */
  async #noteStored(storedAtMs: number): Promise<void> {
    await this.#putIf(
      'attribute_not_exists(pk) OR #value < :value',
      { ...LAST_STORED, storedAtMs: numberAttribute(storedAtMs) },
      { name: 'storedAtMs', value: storedAtMs },
    );
  }

  /** Resolves to false when the condition was not met. */
  async #putIf(condition: string, item: Item, compared?: { name: string; value: number }): Promise<boolean> {
    const put = new PutItemCommand({
      TableName: this.#table,
      Item: { ...item },
      ConditionExpression: condition,
      ...(compared && {
        ExpressionAttributeNames: { '#value': compared.name },
        ExpressionAttributeValues: { ':value': numberAttribute(compared.value) },
      }),
    });
    try {
      await sendRequest(this.#client.send(put));
      return true;
    } catch (failure) {
      if (failure instanceof ConditionalCheckFailedException) return false;
      throw failure;
    }
  }
}

async function sendRequest<Answer>(call: Promise<Answer>): Promise<Answer> {
  try {
    return await call;
  } catch (cause) {
    if (cause instanceof ConditionalCheckFailedException) throw cause;
    throw new DatabaseFailure('unreachable', { cause });
  }
}

function itemOf({ chain, number: place, epoch, seq, jws }: StoredCheckpoint): Item {
  return {
    chain: stringAttribute(chain),
    number: numberAttribute(place),
    epoch: numberAttribute(epoch),
    seq: numberAttribute(seq),
    jws: stringAttribute(jws),
  };
}

function checkpointOf(item: Item): StoredCheckpoint {
  return {
    chain: textOf(item, 'chain') ?? '',
    number: numberOf(item, 'number') ?? 0,
    epoch: numberOf(item, 'epoch') ?? 0,
    seq: numberOf(item, 'seq') ?? 0,
    jws: textOf(item, 'jws') ?? '',
  };
}
