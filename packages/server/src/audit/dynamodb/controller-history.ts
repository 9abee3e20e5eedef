import { type DynamoDBClient, GetItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import {
  CONTROL_KEY,
  HISTORY,
  historyKey,
  numberOf,
  stringAttribute,
  textOf,
} from '@evergrant/authority-store/authority-table';
import { DatabaseFailure } from '../../platform/database-failure';
import type { ControllerEntry, ControllerHistory } from '../store';

/**
 * The controller history in the authority table. The entries of the last write may still be in the control item and be
 * filed only in part (packages/controller/src/aws/control-store.ts). Therefore the control item is read first. All entries
 * before those in the item are filed by then, and entries that are filed later are left for the next read.
 */
export class DynamoControllerHistory implements ControllerHistory {
  readonly #client: DynamoDBClient;
  readonly #table: string;

  constructor({ client, table }: { client: DynamoDBClient; table: string }) {
    this.#client = client;
    this.#table = table;
  }

  async after(id: number, limit: number): Promise<readonly ControllerEntry[]> {
    const { lastId, pending } = await this.#control();
    if (lastId <= id) return [];
    const lastFiled = (pending[0]?.id ?? lastId + 1) - 1;
    const filed = id < lastFiled ? await this.#filed(id + 1, lastFiled, limit) : [];
    // A page may end early. Pending entries may only follow the last filed entry.
    const isWhole = Math.max(id, filed.at(-1)?.id ?? 0) >= lastFiled;
    return isWhole ? [...filed, ...pending.filter((entry) => entry.id > id)].slice(0, limit) : filed;
  }

  async close(): Promise<void> {
    this.#client.destroy();
  }

  async #control(): Promise<{ lastId: number; pending: readonly ControllerEntry[] }> {
    const get = new GetItemCommand({ TableName: this.#table, Key: CONTROL_KEY, ConsistentRead: true });
    const { Item: item } = await sendRequest(this.#client.send(get));
    return { lastId: numberOf(item, 'lastId') ?? 0, pending: JSON.parse(textOf(item, 'tail') ?? '[]') };
  }

  async #filed(first: number, last: number, limit: number): Promise<ControllerEntry[]> {
    const query = new QueryCommand({
      TableName: this.#table,
      KeyConditionExpression: 'pk = :history AND sk BETWEEN :first AND :last',
      ExpressionAttributeValues: {
        ':history': stringAttribute(HISTORY),
        ':first': historyKey(first).sk,
        ':last': historyKey(last).sk,
      },
      ConsistentRead: true,
      Limit: limit,
    });
    const { Items: items = [] } = await sendRequest(this.#client.send(query));
    return items.map((item) => JSON.parse(textOf(item, 'entry') ?? '') as ControllerEntry);
  }
}

async function sendRequest<Answer>(call: Promise<Answer>): Promise<Answer> {
  try {
    return await call;
  } catch (cause) {
    throw new DatabaseFailure('unreachable', { cause });
  }
}
