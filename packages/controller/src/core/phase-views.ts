import type { Region } from '@evergrant/core/regions';
import type { AuthorityView } from './authority';
import type { DatabaseView } from './database-view';
import type { Fact } from './facts';

/** Whether a region's router lets calls in; `activeRegion` is where its fence sends them, null when it was never told. */
export type AclView =
  | { readonly kind: 'serve' }
  | { readonly kind: 'fence'; readonly activeRegion: Region | null }
  | { readonly kind: 'unreachable'; readonly reason: string };

/** Where the public address leads. */
export type EdgeView =
  | { readonly kind: 'points_to'; readonly region: Region }
  | { readonly kind: 'unreachable'; readonly reason: string };

/** What a customer sees at the public address. */
export type OutsideView =
  | { readonly kind: 'granting'; readonly region: Region; readonly epoch: number }
  | { readonly kind: 'not_granting'; readonly reason: string }
  | { readonly kind: 'unreachable'; readonly reason: string };

/**
 * What the database service says about a region's databases.
 *
 * - `running`: databases of their own stand there (a primary database, or one that believes it is).
 * - `kept`: stopped and put aside; the place is free.
 * - `building`: a follower is being made.
 * - `following`: a follower of the other region stands there.
 * - `failed`: the last order failed; it may be given again.
 */
export type DatabaseServiceView =
  | { readonly kind: 'running' | 'kept' | 'building' | 'following' }
  | { readonly kind: 'failed' | 'unreachable'; readonly reason: string };

/** What each phase looks at before it does anything. `origin` gives the authority away, `target` takes it. */
export interface PhaseViews {
  readonly latch: { readonly authority: AuthorityView };
  readonly fence: { readonly originAcl: AclView };
  readonly drain: { readonly origin: DatabaseView; readonly target: DatabaseView };
  readonly promote: { readonly target: DatabaseView };
  readonly verify: { readonly write: Fact };
  readonly open: { readonly authority: AuthorityView };
  readonly switch: { readonly targetAcl: AclView; readonly edge: EdgeView; readonly outside: OutsideView };
  readonly complete: Record<never, never>;
  readonly confirm_fence: { readonly targetAcl: AclView };
  /** The databases themselves are asked only when the service says that a follower stands there. */
  readonly archive_database: {
    readonly service: DatabaseServiceView;
    readonly databases: { readonly origin: DatabaseView; readonly target: DatabaseView } | null;
  };
  readonly build_follower: { readonly service: DatabaseServiceView };
  readonly catch_up: { readonly origin: DatabaseView; readonly target: DatabaseView };
  readonly preflight: {
    readonly origin: DatabaseView;
    readonly target: DatabaseView;
    readonly targetApp: Fact;
    readonly edge: EdgeView;
  };
}
