import type { Region } from '@evergrant/core/regions';

/** Whether a region's router lets calls in; `activeRegion` is the region that its fence names, undefined when unset. */
export type AclView =
  | { readonly kind: 'serve' }
  | { readonly kind: 'fence'; readonly activeRegion: Region | undefined }
  | { readonly kind: 'unreachable'; readonly reason: string };

/** The region that the public address leads to. */
export type EdgeView =
  | { readonly kind: 'points_to'; readonly region: Region }
  | { readonly kind: 'unreachable'; readonly reason: string };

/** The answer that a customer gets at the public address. */
export type OutsideView =
  | { readonly kind: 'granting'; readonly region: Region; readonly epoch: number }
  | { readonly kind: 'not_granting'; readonly reason: string }
  | { readonly kind: 'unreachable'; readonly reason: string };

/**
 * The state of a region's databases, as the database service reports it.
 *
 * - `running`: the region has its own databases: a primary database, or one that claims to be.
 * - `archived`: the region's databases are stopped and kept under another name; a new one can be created.
 * - `building`: a follower is being created.
 * - `incomplete`: the follower exists, but not all of its settings are in force.
 * - `following`: the region has a complete follower of the other region.
 * - `failed`: the last command failed; it may be repeated.
 */
export type DatabaseServiceView =
  | { readonly kind: 'running' | 'archived' | 'building' | 'following' }
  | { readonly kind: 'failed' | 'incomplete' | 'unreachable'; readonly reason: string };

export function databaseServiceReason(service: DatabaseServiceView): string {
  return 'reason' in service ? service.reason : `the database service reports: ${service.kind}`;
}
