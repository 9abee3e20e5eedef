import type { NotGrantingReason, RoleVerdict } from '../../epochs/core/role';

export interface DisconnectFacts {
  readonly verdict: Exclude<RoleVerdict, { kind: 'must_open_epoch' }>;
  /** How long verdict and reason have been unchanged. */
  readonly sinceMs: number;
}

export type DisconnectVerdict =
  | { readonly kind: 'stay' }
  | { readonly kind: 'leave'; readonly event: 'draining' | 'not_granting'; readonly reason: NotGrantingReason };

/**
 * Decides whether a server disconnects its sessions.
 *
 * It does so at once when it will certainly not grant soon: it drains, or authority is elsewhere. When the cause may be
 * brief (the database is replaced inside the region, a proof is late), the sessions stay for `blindToleranceMs`. The other
 * servers of the region are then affected too, and thousands of simultaneous reconnects would only add load.
 */
export function disconnectVerdict({ verdict, sinceMs }: DisconnectFacts, blindToleranceMs: number): DisconnectVerdict {
  if (verdict.kind === 'granting') return { kind: 'stay' };
  const { reason } = verdict;
  switch (reason) {
    case 'draining':
      return { kind: 'leave', event: 'draining', reason };
    case 'authority_elsewhere':
    case 'epoch_closed':
      return { kind: 'leave', event: 'not_granting', reason };
    case 'starting':
    case 'database_unreachable':
    case 'database_read_only':
    case 'schema_outdated':
    case 'authority_unproven':
    case 'epoch_not_open':
      return sinceMs < blindToleranceMs ? { kind: 'stay' } : { kind: 'leave', event: 'not_granting', reason };
  }
}
