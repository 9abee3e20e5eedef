import type { Region } from '@evergrant/core/regions';
import type { WorldEvent } from './events';
import type { PoolStatus, ServerView } from './status-poller';
import type { ProcessEntry } from './world-file';

/** A database as the database supervisor reports it. */
export interface DatabaseStatus {
  readonly name: string;
  /** Its current role for display: `primary`, `standby, in sync`, `follower, streaming`. */
  readonly role: string;
  readonly healthy: boolean;
}

/** The last record of the failover controller. */
export interface ControllerView {
  readonly verdict: string;
  readonly why: string;
  readonly automation: 'armed' | 'disarmed' | 'paused';
  /** For example `failover: drain`, during an operation. */
  readonly operation: string | undefined;
  readonly pendingFences: readonly string[];
  /** Undefined before its first cycle. */
  readonly lastCycleAgeMs: number | undefined;
}

export interface AuthorityStatus {
  readonly epoch: number;
  readonly region: string;
  readonly open: boolean;
}

export interface RoomView {
  readonly name: string;
  readonly seats: number;
  readonly trouble: string | undefined;
}

/** Everything that the view, the control API and `npx evergrant status` show. */
export interface WorldState {
  readonly profile: string;
  readonly upMs: number;
  readonly edge: string;
  readonly edgeTarget: string | undefined;
  readonly acl: Readonly<Record<Region, string | undefined>>;
  readonly processes: readonly ProcessEntry[];
  readonly servers: readonly ServerView[];
  readonly databases: readonly DatabaseStatus[];
  readonly authority: AuthorityStatus | undefined;
  readonly controller: ControllerView | undefined;
  readonly pools: readonly PoolStatus[];
  readonly poolsAgeMs: number | undefined;
  readonly rooms: readonly RoomView[];
  readonly cutLinks: readonly string[];
  readonly events: readonly WorldEvent[];
}

/**
 * The regions whose servers grant, as seen from outside: none or one. Both would violate the invariant of one
 * authority.
 */
export function grantingRegions(state: Pick<WorldState, 'servers'>): string[] {
  const regions = state.servers.filter(({ granting }) => granting).map(({ name }) => name.split('/')[0] ?? name);
  return [...new Set(regions)];
}
