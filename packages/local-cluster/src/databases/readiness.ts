import type { ManagedInstance } from './managed-instance';
import type { DatabasesState } from './state-file';
import type { DatabaseName, Topology } from './topology';

export interface ReadinessInput {
  readonly state: DatabasesState;
  readonly instances: Readonly<Record<DatabaseName, ManagedInstance>>;
  readonly topology: Topology;
}

/** The minimum for serving: the authority store and one region with a primary database. */
export function isServing({ instances, topology }: ReadinessInput): boolean {
  const primaries = [topology.primaryOf('oregon'), topology.primaryOf('virginia')];
  return instances['ohio/db'].isWritable && primaries.some((primary) => primary?.isWritable === true);
}

/** The complete state: the standby is in sync and the follower is streaming. */
export function isComplete(input: ReadinessInput): boolean {
  const { regions, isStandbyEligible } = input.state;
  const virginia = input.instances['virginia/db'];
  const isOregonComplete = regions.oregon.state !== 'running' || isStandbyEligible;
  const isVirginiaComplete = regions.virginia.state === 'running' ? virginia.isWritable : virginia.isStreaming;
  return isServing(input) && isOregonComplete && isVirginiaComplete;
}
