import {
  ConditionalCheckFailedException,
  DynamoDBClient,
  GetItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { AUTHORITY_KEY, type Item, number, numberOf, regionOf, text } from '@evergrant/authority-store/authority-table';
import { ClockSkewGuard } from '@evergrant/authority-store/clock-skew-guard';
import { DatabaseFailure } from '../../platform/database-failure';
import type { UnprotectedRecord } from '../core/replication-mode';
import type { AuthorityAnswer, AuthorityStore, EpochOfRegion } from '../store';

export interface DynamoAuthorityOptions {
  readonly table: string;
  readonly awsRegion: string;
  readonly skewMs: number;
}

/** A renewal that takes longer proves too little: it is abandoned, and the next one is sent. */
const REQUEST_MS = 2_000;

export function clientSettings(awsRegion: string) {
  return {
    region: awsRegion,
    maxAttempts: 2,
    requestHandler: { connectionTimeout: 1_000, requestTimeout: REQUEST_MS, throwOnRequestTimeout: true },
  };
}

/**
 * Connects to the authority record in a DynamoDB global table with multi-Region strong consistency. A renewal is one
 * conditional write. The store refuses it when a newer epoch is latched in any region, or when this epoch is not open.
 */
export function connectDynamoAuthorityStore({ table, awsRegion, skewMs }: DynamoAuthorityOptions): AuthorityStore {
  const client = new DynamoDBClient(clientSettings(awsRegion));
  const clock = new ClockSkewGuard({ nowMs: () => Date.now(), skewMs });
  clock.watch(client);
  const translated = async <Answer>(call: Promise<Answer>): Promise<Answer> => {
    try {
      return await call;
    } catch (cause) {
      if (cause instanceof ConditionalCheckFailedException) throw cause;
      throw new DatabaseFailure('unreachable', { cause });
    }
  };
  const read = async (): Promise<AuthorityAnswer> => {
    const get = new GetItemCommand({ TableName: table, Key: AUTHORITY_KEY, ConsistentRead: true });
    const { Item: item } = await translated(client.send(get));
    return answerOf(item, clock.nowMs(), undefined);
  };
  /** Resolves to false when the store refused the write because its condition did not hold. */
  const conditional = async (update: UpdateItemCommand): Promise<boolean> => {
    try {
      await translated(client.send(update));
      return true;
    } catch (cause) {
      if (cause instanceof ConditionalCheckFailedException) return false;
      throw cause;
    }
  };
  const renew = async (region: string, server: string): Promise<AuthorityAnswer> => {
    const nowMs = clock.nowMs();
    const update = new UpdateItemCommand({
      TableName: table,
      Key: AUTHORITY_KEY,
      UpdateExpression: 'SET renewedAtMs = :now, renewedBy = :server',
      ConditionExpression: '#region = :region AND opensAtMs <= :now',
      ExpressionAttributeNames: { '#region': 'region' },
      ExpressionAttributeValues: { ':now': number(nowMs), ':server': text(server), ':region': text(region) },
      ReturnValues: 'ALL_NEW',
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    });
    try {
      const { Attributes: item } = await translated(client.send(update));
      return answerOf(item, nowMs, numberOf(item, 'epoch') ?? undefined);
    } catch (cause) {
      if (!(cause instanceof ConditionalCheckFailedException)) throw cause;
      return cause.Item === undefined ? read() : answerOf(cause.Item, nowMs, undefined);
    }
  };
  return {
    renew: ({ region, server, renew: mayRenew }) => (mayRenew ? renew(region, server) : read()),
    recordUnprotected: (epoch) => conditional(recordCommand(table, epoch, clock.nowMs())),
    clearUnprotected: async (epoch, since) => {
      await conditional(clearCommand(table, epoch, since));
    },
    close: async () => client.destroy(),
  };
}

/**
 * Writes the record only while the epoch is in force. A controller that latches the next epoch either sees the record,
 * or the record is not written.
 */
function recordCommand(table: string, { epoch, region }: EpochOfRegion, nowMs: number): UpdateItemCommand {
  return new UpdateItemCommand({
    TableName: table,
    Key: AUTHORITY_KEY,
    UpdateExpression: 'SET unprotectedEpoch = :epoch, unprotectedSinceMs = :now',
    ConditionExpression: 'epoch = :epoch AND #region = :region AND opensAtMs <= :now',
    ExpressionAttributeNames: { '#region': 'region' },
    ExpressionAttributeValues: { ':now': number(nowMs), ':epoch': number(epoch), ':region': text(region) },
  });
}

/** Clears the record only while it still carries `since`: a server that has written it again relies on it. */
function clearCommand(table: string, { epoch, region }: EpochOfRegion, since: string): UpdateItemCommand {
  return new UpdateItemCommand({
    TableName: table,
    Key: AUTHORITY_KEY,
    UpdateExpression: 'REMOVE unprotectedEpoch, unprotectedSinceMs',
    ConditionExpression:
      'epoch = :epoch AND #region = :region AND unprotectedEpoch = :epoch AND unprotectedSinceMs = :since',
    ExpressionAttributeNames: { '#region': 'region' },
    ExpressionAttributeValues: { ':since': number(Number(since)), ':epoch': number(epoch), ':region': text(region) },
  });
}

/** @throws DatabaseFailure when the record is incomplete, because it then does not show which region may grant */
function answerOf(item: Item | undefined, nowMs: number, renewedEpoch: number | undefined): AuthorityAnswer {
  const epoch = numberOf(item, 'epoch');
  const region = regionOf(item);
  if (epoch === undefined || region === undefined) {
    throw new DatabaseFailure('unreachable', { cause: new Error('the record in the authority store is incomplete') });
  }
  const opensAtMs = numberOf(item, 'opensAtMs');
  const lapsedAtMs = numberOf(item, 'lapsedAtMs') ?? opensAtMs;
  const lapsedAgoMs = lapsedAtMs === undefined ? undefined : Math.floor(nowMs - lapsedAtMs);
  const open = opensAtMs !== undefined && opensAtMs <= nowMs;
  return { record: { epoch, region, open, lapsedAgoMs, unprotected: unprotectedOf(item) }, renewedEpoch };
}

/** A latch keeps this entry: the next opening assumes as many unknown grants as its pools have seats (S6). */
function unprotectedOf(item: Item | undefined): UnprotectedRecord | undefined {
  const epoch = numberOf(item, 'unprotectedEpoch');
  const sinceMs = numberOf(item, 'unprotectedSinceMs');
  return epoch === undefined || sinceMs === undefined ? undefined : { epoch, since: String(sinceMs) };
}
