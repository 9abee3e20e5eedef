import type { Region } from './regions';

/** Whether a region's router lets calls in; `activeRegion` is where its fence sends them. */
export type AclView =
  | { readonly kind: 'serve' }
  | { readonly kind: 'fence'; readonly activeRegion: Region }
  | { readonly kind: 'unreachable'; readonly because: string };

/** Where the public address leads. */
export type EdgeView =
  | { readonly kind: 'points-to'; readonly region: Region }
  | { readonly kind: 'unreachable'; readonly because: string };

/** What a customer sees at the public address. */
export type OutsideView =
  | { readonly kind: 'granting'; readonly region: Region; readonly epoch: number }
  | { readonly kind: 'not-granting'; readonly because: string }
  | { readonly kind: 'unreachable'; readonly because: string };

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
  | { readonly kind: 'failed' | 'unreachable'; readonly because: string };
