import { lapsedAtMs } from './core/advance';
import type { AuthorityView } from './core/authority';
import type { Operation } from './core/operations';
import type { Policy } from './core/policy';
import type { Act } from './core/transitions';
import type { Ports } from './ports';

export interface Acting {
  readonly ports: Ports;
  readonly operation: Operation;
  readonly authority: AuthorityView;
  readonly policy: Policy;
}

/**
 * The hands of the transition table: one call each, no waiting, no conclusion. Whether it worked is for the next look.
 * Each is bound to the operation's epoch, so a controller that slept through the rest of the operation does no harm
 * when it wakes.
 */
export const EFFECTS: { readonly [A in Exclude<Act, 'none'>]: (acting: Acting) => Promise<unknown> } = {
  latch: ({ ports, operation }) =>
    ports.authority.latch({
      fromEpoch: operation.fromEpoch,
      region: operation.toRegion,
      operationId: operation.id,
    }),
  fence_origin: ({ ports, operation }) => ports.routers.fence(operation.fromRegion, operation.toRegion),
  fence_target: ({ ports, operation }) => ports.routers.fence(operation.toRegion, operation.fromRegion),
  close_epoch: ({ ports, operation }) => ports.databases.closeEpoch(operation.fromRegion, operation.fromEpoch),
  promote: ({ ports, operation }) => ports.databases.promote(operation.toRegion, operation.fromEpoch),
  open: ({ ports, operation, authority, policy }) =>
    ports.authority.open({
      epoch: operation.toEpoch,
      operationId: operation.id,
      lapsedAtMs: lapsedAtMs(operation, authority, policy, ports.clock.nowMs()),
    }),
  serve_target: ({ ports, operation }) => ports.routers.serve(operation.toRegion),
  point_edge: ({ ports, operation }) => ports.edge.pointTo(operation.toRegion),
  archive_database: ({ ports, operation }) => ports.databaseService.keep(operation.toRegion),
  follow: ({ ports, operation }) => ports.databaseService.follow(operation.toRegion),
};
