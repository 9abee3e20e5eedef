import type { Region } from '@evergrant/core/regions';
import type { WorldEvent } from './events';
import type { PoolView, ServerView } from './status-poller';
import type { ProcessEntry } from './world-file';

/** A database as the supervisor that stands in for RDS sees it. */
export interface DatabaseView {
  readonly name: string;
  /** What it is now, in words a person reads: `primary`, `standby, in sync`, `follower, streaming`. */
  readonly role: string;
  readonly healthy: boolean;
}

/** What the failover controller last recorded. */
export interface ControllerView {
  readonly verdict: string;
  readonly why: string;
  readonly automation: 'armed' | 'disarmed' | 'paused';
  /** For example `failover: drain`, while something is under way. */
  readonly operation: string | undefined;
  readonly pendingFences: readonly string[];
  /** Undefined before its first cycle. */
  readonly lastCycleAgeMs: number | undefined;
}

export interface AuthorityView {
  readonly epoch: number;
  readonly region: string;
  readonly open: boolean;
}

export interface RoomView {
  readonly name: string;
  readonly seats: number;
  readonly trouble: string | undefined;
}

/** Everything the view, the control interface and `npx evergrant status` show. */
export interface WorldState {
  readonly profile: string;
  readonly upMs: number;
  readonly edge: string;
  readonly edgeTarget: string | undefined;
  readonly acl: Readonly<Record<Region, string | undefined>>;
  readonly processes: readonly ProcessEntry[];
  readonly servers: readonly ServerView[];
  readonly databases: readonly DatabaseView[];
  readonly authority: AuthorityView | undefined;
  readonly controller: ControllerView | undefined;
  readonly pools: readonly PoolView[];
  readonly poolsAgeMs: number | undefined;
  readonly rooms: readonly RoomView[];
  readonly cutLinks: readonly string[];
  readonly events: readonly WorldEvent[];
}

/** The region whose servers grant, as seen from outside: none, one, or (never, by the one rule) both. */
export function grantingRegions(state: Pick<WorldState, 'servers'>): string[] {
  const regions = state.servers.filter(({ granting }) => granting).map(({ name }) => name.split('/')[0] ?? name);
  return [...new Set(regions)];
}
