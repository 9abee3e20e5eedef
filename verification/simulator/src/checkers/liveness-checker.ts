import { otherRegion } from '@evergrant/core/regions';
import type { World } from '../world';

/** What is still not as it should be after everything was mended; undefined: nothing. */
export function unsettled(world: World): string | undefined {
  return (
    unsettledService(world) ??
    unsettledFence(world) ??
    unsettledSeats(world) ??
    unsettledRooms(world) ??
    unsettledLog(world)
  );
}

function unsettledService({ ohio, sites, edge }: World): string | undefined {
  const { region, epoch } = ohio.row;
  const granting = sites[region].servers.filter(({ role }) => role.verdict().kind === 'granting');
  if (granting.length === 0) return `nobody grants in ${region}, epoch ${epoch}`;
  if (edge.target !== region) return `the public address leads to ${edge.target}, and ${region} grants`;
  return sites[region].acl.kind === 'serve' ? undefined : `${region} grants behind a fence`;
}

function unsettledFence({ ohio, sites }: World): string | undefined {
  const { region, epoch } = ohio.row;
  const { pendingFences, operation, automation } = ohio.control;
  if (pendingFences.length > 0)
    return `the fence of ${pendingFences.map((debt) => debt.region).join(', ')} is still owed`;
  if (operation !== null) return `${operation.kind} is still in phase ${operation.phase}: ${operation.stuck?.reason}`;
  if (region === 'virginia' && automation.state === 'armed') return 'after a failover the automation is armed';
  const other = otherRegion(region);
  const standby = sites[other];
  // One that has opened an epoch of its own since it was built was promoted rightly, and lost its region later.
  const neverServed = standby.database?.newestEpoch?.region !== other;
  if (standby.service === 'following' && standby.database?.role === 'primary' && neverServed)
    return `${other} was to follow, and follows nobody`;
  return epoch > 1 && sites[other].acl.kind === 'serve' ? `${other} is not fenced` : undefined;
}

function unsettledSeats({ ohio, sites }: World): string | undefined {
  const { database } = sites[ohio.row.region];
  if (!database) return 'the active region has no database';
  const heldBack = [...database.tables.pools.values()].find(({ seatsHeldBack, seatsAwaited }) => {
    return seatsHeldBack > 0 || seatsAwaited > 0;
  });
  return heldBack ? `pool ${heldBack.id} still holds back ${heldBack.seatsHeldBack} seats` : undefined;
}

function unsettledLog({ ohio, sites, auditBook }: World): string | undefined {
  const { region, epoch } = ohio.row;
  const { database } = sites[region];
  return database && auditBook.unaccounted(epoch, database.tables);
}

function unsettledRooms({ rooms, ohio, sites, databases, scenario }: World): string | undefined {
  // Whoever wants every grant protected gets none while nobody follows.
  if (scenario.unprotectedAfterMs === 0 && !databases.stream(ohio.row.region)?.isStreaming) return undefined;
  const { database } = sites[ohio.row.region];
  for (const { name, keepers } of rooms) {
    for (const keeper of keepers) {
      if (keeper.borrowed || keeper.isFinished) continue;
      if (keeper.state !== 'held') return `${name} is not served: ${keeper.id} is in ${keeper.state}`;
      if (database?.tables.leases.get(keeper.id)?.state !== 'live') {
        return `${name} holds ${keeper.id}, of which the active region knows nothing`;
      }
    }
  }
  return undefined;
}
