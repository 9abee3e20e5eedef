import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  UpdateItemCommand,
  type UpdateItemCommandInput,
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
import type { ClockSkewGuard } from '@evergrant/authority-store/clock-skew-guard';
import { OperatingError } from '@evergrant/core/operating-error';
import type { Region } from '@evergrant/core/regions';
import type { AuthorityView } from '../core/authority';
import type { AuthorityStore } from '../ports';
import { awsFailure } from './sdk';

export interface AuthorityStoreOptions {
  readonly client: DynamoDBClient;
  readonly table: string;
  readonly clock: ClockSkewGuard;
}

type Written = 'written' | 'conflict';

/** The authority record in the authority table. Each write has the writer's epoch in its condition. */
export class DynamoAuthorityStore implements AuthorityStore {
  readonly #options: AuthorityStoreOptions;

  constructor(options: AuthorityStoreOptions) {
    this.#options = options;
  }

  async read(): Promise<AuthorityView> {
    const { client, table, clock } = this.#options;
    const get = new GetItemCommand({ TableName: table, Key: AUTHORITY_KEY, ConsistentRead: true });
    const { Item: item } = await client.send(get).catch((cause) => {
      throw awsFailure('the authority store', cause);
    });
    return authorityViewOf(item, clock.nowMs());
  }

  async latch({ fromEpoch, region, operationId }: { fromEpoch: number; region: Region; operationId: string }) {
    await this.#options.clock.measured(() => this.read());
    return this.#update({
      UpdateExpression:
        'SET epoch = :to, #region = :region, operationId = :id, latchedAtMs = :now REMOVE opensAtMs, lapsedAtMs',
      ConditionExpression: 'epoch = :from',
      ExpressionAttributeNames: { '#region': 'region' },
      ExpressionAttributeValues: {
        ':from': numberAttribute(fromEpoch),
        ':to': numberAttribute(fromEpoch + 1),
        ':region': stringAttribute(region),
        ':id': stringAttribute(operationId),
        ':now': numberAttribute(this.#options.clock.nowMs()),
      },
      isOurs: (found) => numberOf(found, 'epoch') === fromEpoch + 1 && textOf(found, 'operationId') === operationId,
    });
  }

  async open({ epoch, operationId, lapsedAtMs }: { epoch: number; operationId: string; lapsedAtMs: number }) {
    await this.#options.clock.measured(() => this.read());
    const at = Math.max(this.#options.clock.nowMs(), lapsedAtMs);
    return this.#update({
      UpdateExpression: 'SET opensAtMs = :opens, lapsedAtMs = :lapsed',
      ConditionExpression: 'epoch = :epoch AND operationId = :id AND attribute_not_exists(opensAtMs)',
      ExpressionAttributeValues: {
        ':epoch': numberAttribute(epoch),
        ':id': stringAttribute(operationId),
        ':opens': numberAttribute(at),
        ':lapsed': numberAttribute(lapsedAtMs),
      },
      isOurs: (found) =>
        numberOf(found, 'epoch') === epoch &&
        textOf(found, 'operationId') === operationId &&
        numberOf(found, 'opensAtMs') === at,
    });
  }

  /** The SDK repeats a write whose answer was lost. So a failed condition can mean that this write has succeeded. */
  async #update({
    isOurs,
    ...update
  }: Omit<UpdateItemCommandInput, 'TableName' | 'Key'> & { isOurs: (found: Item) => boolean }): Promise<Written> {
    const { client, table } = this.#options;
    try {
      await client.send(
        new UpdateItemCommand({
          ...update,
          TableName: table,
          Key: AUTHORITY_KEY,
          ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
        }),
      );
      return 'written';
    } catch (cause) {
      if (!(cause instanceof ConditionalCheckFailedException)) throw awsFailure('the authority store', cause);
      return cause.Item !== undefined && isOurs(cause.Item) ? 'written' : 'conflict';
    }
  }
}

/** @throws OperatingError if there is no record, or it is incomplete: no decision can rest on it. */
function authorityViewOf(item: Item | undefined, readAtMs: number): AuthorityView {
  const epoch = numberOf(item, 'epoch');
  const region = regionOf(item);
  const latchedAtMs = numberOf(item, 'latchedAtMs');
  if (epoch === undefined || region === undefined || latchedAtMs === undefined) {
    const message = 'the authority store has no complete authority record: is the authority stack deployed?';
    throw new OperatingError({ code: 'no_authority_record', message, retryable: true });
  }
  return {
    epoch,
    region,
    operationId: textOf(item, 'operationId'),
    latchedAtMs,
    opensAtMs: numberOf(item, 'opensAtMs'),
    renewedAtMs: numberOf(item, 'renewedAtMs'),
    renewedBy: textOf(item, 'renewedBy'),
    readAtMs,
  };
}
