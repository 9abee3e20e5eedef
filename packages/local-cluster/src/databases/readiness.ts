import type { Member } from './managed-instance';
import type { DatabasesRecord } from './state-file';
import type { Arrangement, DatabaseName } from './topology';

export interface ReadinessInput {
  readonly record: DatabasesRecord;
  readonly members: Readonly<Record<DatabaseName, Member>>;
  readonly arrangement: Arrangement;
}

/** The least a world can live with: the authority store, and one region with a primary database. */
export function isServing({ members, arrangement }: ReadinessInput): boolean {
  const primaries = [arrangement.primaryOf('oregon'), arrangement.primaryOf('virginia')];
  return members['ohio/db'].isWritable && primaries.some((primary) => primary?.isWritable === true);
}

/** Everything is in its place: the standby in sync, the follower streaming. */
export function isComplete(input: ReadinessInput): boolean {
  const { regions, isStandbyEligible } = input.record;
  const virginia = input.members['virginia/db'];
  const isOregonComplete = regions.oregon.state !== 'running' || isStandbyEligible;
  const isVirginiaComplete = regions.virginia.state === 'running' ? virginia.isWritable : virginia.isStreaming;
  return isServing(input) && isOregonComplete && isVirginiaComplete;
}
