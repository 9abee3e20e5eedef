import type { NotGrantingReason, RoleVerdict } from '../../epochs/core/role';

export interface DisconnectFacts {
  readonly verdict: Exclude<RoleVerdict, { kind: 'must_open_epoch' }>;
  /** For how long the verdict has been the same, with the same reason. */
  readonly sinceMs: number;
}

export type DisconnectVerdict =
  | { readonly kind: 'stay' }
  | { readonly kind: 'leave'; readonly event: 'draining' | 'not_granting'; readonly because: NotGrantingReason };

/**
 * Whether a server should send its sessions away.
 *
 * At once when it is certain that it will not grant soon: it drains, or authority is elsewhere. When it may only be
 * blind for a moment (its database is being replaced inside the region, a proof is late) the sessions wait out
 * `patienceMs`: the other servers of the region would be as blind, and thousands of sessions that come back at once
 * help nobody.
 */
export function disconnectVerdict({ verdict, sinceMs }: DisconnectFacts, patienceMs: number): DisconnectVerdict {
  if (verdict.kind === 'granting') return { kind: 'stay' };
  const { because } = verdict;
  switch (because) {
    case 'draining':
      return { kind: 'leave', event: 'draining', because };
    case 'authority_elsewhere':
    case 'epoch_closed':
      return { kind: 'leave', event: 'not_granting', because };
    case 'starting':
    case 'database_unreachable':
    case 'database_read_only':
    case 'schema_outdated':
    case 'authority_unproven':
    case 'epoch_not_open':
      return sinceMs < patienceMs ? { kind: 'stay' } : { kind: 'leave', event: 'not_granting', because };
  }
}
