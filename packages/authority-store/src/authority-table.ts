import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { Region } from '@evergrant/core/regions';

/**
 * The items of the authority table, a DynamoDB global table with multi-Region strong consistency: every conditional
 * write sees the latest version, whichever region it is sent to. It has no transactions and no clock.
 *
 * | pk | sk | what |
 * | --- | --- | --- |
 * | authority | record | who may grant: epoch, region, operationId, latchedAtMs, opensAtMs, renewedAtMs, renewedBy |
 * | control | record | the controllers' memory: version, record, and the history entries that are not filed yet |
 * | history | 000000000042 | one filed history entry, by its number |
 * | region | oregon | how a region introduces itself, see `RegionIntroduction` |
 * | checkpoint, checkpoint-newest | … | the servers' checkpoints of the audit log: packages/server/src/audit/dynamodb/checkpoint-store.ts |
 */
export type Item = Readonly<Record<string, AttributeValue>>;

export const AUTHORITY_KEY = { pk: { S: 'authority' }, sk: { S: 'record' } } as const;
export const CONTROL_KEY = { pk: { S: 'control' }, sk: { S: 'record' } } as const;
export const HISTORY = 'history';

export function regionKey(region: Region): { pk: { S: string }; sk: { S: string } } {
  return { pk: { S: 'region' }, sk: { S: region } };
}

export function historyKey(id: number): { pk: { S: string }; sk: { S: string } } {
  return { pk: { S: HISTORY }, sk: { S: String(id).padStart(12, '0') } };
}

export function stringAttribute(value: string): { S: string } {
  return { S: value };
}

export function numberAttribute(value: number): { N: string } {
  return { N: String(value) };
}

export function textOf(item: Item | undefined, name: string): string | undefined {
  return item?.[name]?.S ?? undefined;
}

export function numberOf(item: Item | undefined, name: string): number | undefined {
  const digits = item?.[name]?.N;
  if (digits === undefined) return undefined;
  const value = Number(digits);
  return Number.isFinite(value) ? value : undefined;
}

export function regionOf(item: Item | undefined): Region | undefined {
  const value = textOf(item, 'region');
  return value === 'oregon' || value === 'virginia' ? value : undefined;
}
