import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  paginateQuery,
  type QueryCommandInput,
} from '@aws-sdk/client-dynamodb';
import {
  AUTHORITY_KEY,
  type Item,
  number,
  numberOf,
  regionOf,
  text,
  textOf,
} from '../../lambda/failover/aws/authority-table';
import type { CheckpointFilter, CheckpointPage, CheckpointStore, StoredCheckpoint } from '../audit-ports';
import { DatabaseFailure, type ExpectedEpoch } from '../ports';

/** Items `checkpoint / chain#number`, and for each chain and epoch its newest one as `checkpoint-newest / chain#epoch`. */
const CHECKPOINT = 'checkpoint';
const NEWEST = 'checkpoint-newest';
const LAST_STORED = { pk: text(NEWEST), sk: text('#last-stored') };

const placed = (chain: string, value: number): string => `${chain}#${String(value).padStart(15, '0')}`;

/**
 * Checkpoints in the authority table, as a port. The table has no transactions: the epoch is looked up in the latest
 * version right before, and what a region stores in the moment in which it loses its epoch is signed in that epoch.
 */
export class DynamoCheckpointStore implements CheckpointStore {
  readonly #client: DynamoDBClient;
  readonly #table: string;

  constructor({ client, table }: { client: DynamoDBClient; table: string }) {
    this.#client = client;
    this.#table = table;
  }

  async newest(chains: readonly string[]): Promise<{ checkpoints: readonly StoredCheckpoint[]; idleMs: number }> {
    const [last, ...found] = await Promise.all([
      this.#item(LAST_STORED),
      ...chains.map((chain) => this.#newestOf(chain)),
    ]);
    const storedAtMs = numberOf(last, 'storedAtMs');
    return {
      checkpoints: found.flat(),
      idleMs: storedAtMs === null ? Number.POSITIVE_INFINITY : Date.now() - storedAtMs,
    };
  }

  async newestBefore(epoch: number): Promise<readonly StoredCheckpoint[]> {
    const all = await this.#query({ pk: NEWEST, after: LAST_STORED.sk.S });
    return all.map(checkpointOf).filter((checkpoint) => checkpoint.epoch < epoch);
  }

  async add(checkpoints: readonly StoredCheckpoint[], expected: ExpectedEpoch): Promise<number> {
    const authority = await this.#item(AUTHORITY_KEY);
    if (numberOf(authority, 'epoch') !== expected.epoch || regionOf(authority) !== expected.region) return 0;
    let taken = 0;
    for (const checkpoint of checkpoints) {
      const { chain, epoch } = checkpoint;
      const content = { ...itemOf(checkpoint), storedAtMs: number(Date.now()) };
      const isNew = await this.#putIf('attribute_not_exists(pk)', {
        pk: text(CHECKPOINT),
        sk: text(placed(chain, checkpoint.number)),
        ...content,
      });
      if (!isNew) continue;
      taken += 1;
      await this.#putIf(
        'attribute_not_exists(pk) OR #number < :number',
        { pk: text(NEWEST), sk: text(placed(chain, epoch)), ...content },
        checkpoint.number,
      );
    }
    if (taken > 0) await this.#putIf(undefined, { ...LAST_STORED, storedAtMs: number(Date.now()) });
    return taken;
  }

  async read({ chains, after, until, limit }: CheckpointFilter): Promise<CheckpointPage> {
    const asOf = until ?? new Date().toISOString();
    const untilMs = Date.parse(asOf);
    const from = after === undefined ? undefined : placed(after.chain, after.number);
    const found = await this.#query({ pk: CHECKPOINT, after: from });
    const checkpoints = found
      .filter((item) => (numberOf(item, 'storedAtMs') ?? 0) <= untilMs)
      .map(checkpointOf)
      .filter(({ chain }) => chains === undefined || chains.includes(chain))
      .slice(0, limit)
      .map(({ chain, number: place, jws }) => ({ chain, number: place, jws }));
    return { checkpoints, asOf };
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }

  async #newestOf(chain: string): Promise<StoredCheckpoint[]> {
    const found = await this.#query({ pk: CHECKPOINT, chain, newestOnly: true });
    return found.map(checkpointOf);
  }

  async #item(key: Item): Promise<Item | undefined> {
    const get = new GetItemCommand({ TableName: this.#table, Key: { ...key }, ConsistentRead: true });
    return (await asked(this.#client.send(get))).Item;
  }

  async #query({
    pk,
    after,
    chain,
    newestOnly = false,
  }: {
    pk: string;
    after?: string | undefined;
    chain?: string;
    newestOnly?: boolean;
  }): Promise<Item[]> {
    const bound = chain === undefined ? (after === undefined ? null : 'sk > :bound') : 'begins_with(sk, :bound)';
    const query: QueryCommandInput = {
      TableName: this.#table,
      ConsistentRead: true,
      KeyConditionExpression: ['pk = :pk', ...(bound === null ? [] : [bound])].join(' AND '),
      ExpressionAttributeValues: {
        ':pk': text(pk),
        ...(bound === null ? {} : { ':bound': text(chain === undefined ? (after ?? '') : `${chain}#`) }),
      },
      ...(newestOnly ? { ScanIndexForward: false, Limit: 1 } : {}),
    };
    const items: Item[] = [];
    const pages = paginateQuery({ client: this.#client }, query)[Symbol.asyncIterator]();
    for (let page = await asked(pages.next()); page.done !== true; page = await asked(pages.next())) {
      items.push(...(page.value.Items ?? []));
      if (newestOnly) break;
    }
    return items;
  }

  /** False: the condition did not hold. */
  async #putIf(condition: string | undefined, item: Item, place?: number): Promise<boolean> {
    const put = new PutItemCommand({
      TableName: this.#table,
      Item: { ...item },
      ConditionExpression: condition,
      ...(place === undefined
        ? {}
        : {
            ExpressionAttributeNames: { '#number': 'number' },
            ExpressionAttributeValues: { ':number': number(place) },
          }),
    });
    try {
      await asked(this.#client.send(put));
      return true;
    } catch (failure) {
      if (failure instanceof ConditionalCheckFailedException) return false;
      throw failure;
    }
  }
}

async function asked<Answer>(call: Promise<Answer>): Promise<Answer> {
  try {
    return await call;
  } catch (cause) {
    if (cause instanceof ConditionalCheckFailedException) throw cause;
    throw new DatabaseFailure('unreachable', { cause });
  }
}

function itemOf({ chain, number: place, epoch, seq, jws }: StoredCheckpoint): Item {
  return { chain: text(chain), number: number(place), epoch: number(epoch), seq: number(seq), jws: text(jws) };
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
