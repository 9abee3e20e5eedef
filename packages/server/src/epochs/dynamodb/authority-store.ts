import {
  ConditionalCheckFailedException,
  DynamoDBClient,
  GetItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import {
  AUTHORITY_KEY,
  type Item,
  numberAttribute,
  numberOf,
  regionOf,
  stringAttribute,
} from '@evergrant/authority-store/authority-table';
import { ClockSkewGuard } from '@evergrant/authority-store/clock-skew-guard';
import { DatabaseFailure } from '../../platform/database-failure';
import type { UnprotectedRecord } from '../core/replication-mode';
import type { AuthorityAnswer, EpochOfRegion, ServerAuthorityStore } from '../store';

export interface DynamoAuthorityOptions {
  readonly table: string;
  readonly awsRegion: string;
  readonly skewMs: number;
}

/** A renewal that takes longer proves too little: it is abandoned, and the next one is sent. */
const REQUEST_MS = 2_000;

/** Each attempt uses a mark above the one that refused the attempt before. */
const RECORD_ATTEMPTS_MAX = 3;

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
export function connectDynamoAuthorityStore({
  table,
  awsRegion,
  skewMs,
}: DynamoAuthorityOptions): ServerAuthorityStore {
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
  const write = async (update: UpdateItemCommand): Promise<Written> => {
    try {
      const { Attributes: item } = await translated(client.send(update));
      return { accepted: true, item };
    } catch (cause) {
      if (cause instanceof ConditionalCheckFailedException) return { accepted: false, item: cause.Item };
      throw cause;
    }
  };
  const renew = async (region: string, server: string): Promise<AuthorityAnswer> => {
    await clock.measured(read);
    const nowMs = clock.nowMs();
    const { accepted, item } = await write(renewCommand(table, { region, server, nowMs }));
    if (item === undefined) return read();
    const proven = accepted || provesRenewal(item, { region, nowMs });
    return answerOf(item, nowMs, proven ? numberOf(item, 'epoch') : undefined);
  };
  const recordUnprotected = async (epoch: EpochOfRegion): Promise<boolean> => {
    await clock.measured(read);
    let sinceMs = clock.nowMs();
    for (let attempt = 1; attempt <= RECORD_ATTEMPTS_MAX; attempt++) {
      const nowMs = clock.nowMs();
      const { accepted, item } = await write(recordCommand(table, { ...epoch, nowMs, sinceMs }));
      if (accepted) return true;
      const foundMs = numberOf(item, 'unprotectedSinceMs');
      if (foundMs === undefined || foundMs < sinceMs) return false;
      sinceMs = foundMs + 1;
    }
    return false;
  };
  return {
    renew: ({ region, server, renew: mayRenew }) => (mayRenew ? renew(region, server) : read()),
    recordUnprotected,
    clearUnprotected: async (epoch, since) => {
      await write(clearCommand(table, epoch, since));
    },
    close: async () => client.destroy(),
  };
}

interface Written {
  readonly accepted: boolean;
  /** The record after an accepted write, and the record that refused the other one. */
  readonly item: Item | undefined;
}

/** `renewedAtMs` only grows, so a late duplicate of an earlier renewal is refused. */
function renewCommand(
  table: string,
  { region, server, nowMs }: { region: string; server: string; nowMs: number },
): UpdateItemCommand {
  return new UpdateItemCommand({
    TableName: table,
    Key: AUTHORITY_KEY,
    UpdateExpression: 'SET renewedAtMs = :now, renewedBy = :server',
    ConditionExpression:
      '#region = :region AND opensAtMs <= :now AND (attribute_not_exists(renewedAtMs) OR renewedAtMs <= :now)',
    ExpressionAttributeNames: { '#region': 'region' },
    ExpressionAttributeValues: {
      ':now': numberAttribute(nowMs),
      ':server': stringAttribute(server),
      ':region': stringAttribute(region),
    },
    ReturnValues: 'ALL_NEW',
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  });
}

/**
 * A newer renewal of the same region in the same open epoch refuses a renewal and proves the authority as well: the
 * controller waits until the newer one has expired.
 */
function provesRenewal(item: Item, { region, nowMs }: { region: string; nowMs: number }): boolean {
  const opensAtMs = numberOf(item, 'opensAtMs');
  const renewedAtMs = numberOf(item, 'renewedAtMs');
  const isOpen = opensAtMs !== undefined && opensAtMs <= nowMs;
  return regionOf(item) === region && isOpen && renewedAtMs !== undefined && renewedAtMs > nowMs;
}

/**
 * Recorded only while the epoch is in force: the next latch keeps the record, or the record is not written.
 * `unprotectedSinceMs` only grows, and a clear keeps it. So each record has a unique mark, and a late duplicate
 * neither replaces a newer record nor restores a cleared one.
 */
function recordCommand(
  table: string,
  { epoch, region, nowMs, sinceMs }: EpochOfRegion & { nowMs: number; sinceMs: number },
): UpdateItemCommand {
  return new UpdateItemCommand({
    TableName: table,
    Key: AUTHORITY_KEY,
    UpdateExpression: 'SET unprotectedEpoch = :epoch, unprotectedSinceMs = :since',
    ConditionExpression:
      'epoch = :epoch AND #region = :region AND opensAtMs <= :now AND ' +
      '(attribute_not_exists(unprotectedSinceMs) OR unprotectedSinceMs < :since)',
    ExpressionAttributeNames: { '#region': 'region' },
    ExpressionAttributeValues: {
      ':now': numberAttribute(nowMs),
      ':since': numberAttribute(sinceMs),
      ':epoch': numberAttribute(epoch),
      ':region': stringAttribute(region),
    },
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  });
}

/** Cleared only while the record still has the mark `since`: a server that has recorded again relies on its record. */
function clearCommand(table: string, { epoch, region }: EpochOfRegion, since: string): UpdateItemCommand {
  return new UpdateItemCommand({
    TableName: table,
    Key: AUTHORITY_KEY,
    UpdateExpression: 'REMOVE unprotectedEpoch',
    ConditionExpression:
      'epoch = :epoch AND #region = :region AND unprotectedEpoch = :epoch AND unprotectedSinceMs = :since',
    ExpressionAttributeNames: { '#region': 'region' },
    ExpressionAttributeValues: {
      ':since': numberAttribute(Number(since)),
      ':epoch': numberAttribute(epoch),
      ':region': stringAttribute(region),
    },
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
