import { otherRegion } from '@evergrant/core/regions';
import type { SimulationContext } from '../context';

/** The first reason why the system has not converged; undefined once it has. */
export function livenessProblem(context: SimulationContext): string | undefined {
  return (
    serviceProblem(context) ??
    fenceProblem(context) ??
    seatProblem(context) ??
    installationProblem(context) ??
    auditProblem(context)
  );
}

function serviceProblem({ authorityStore, regions, edge }: SimulationContext): string | undefined {
  const { region, epoch } = authorityStore.row;
  const granting = regions[region].servers.filter(({ role }) => role.verdict().kind === 'granting');
  if (granting.length === 0) return `no server grants in ${region}, epoch ${epoch}`;
  if (edge.target !== region) return `the public address points to ${edge.target}, but ${region} grants`;
  return regions[region].acl.kind === 'serve' ? undefined : `${region} grants behind a fence`;
}

function fenceProblem({ authorityStore, regions }: SimulationContext): string | undefined {
  const { region, epoch } = authorityStore.row;
  const { pendingFences, operation, automation } = authorityStore.control;
  if (pendingFences.length > 0) return `the fence of ${pendingFences.map((debt) => debt.region).join(', ')}`;
  if (operation !== undefined)
    return `${operation.kind} is still in phase ${operation.phase}: ${operation.stuck?.reason}`;
  if (region === 'virginia' && automation.state === 'armed') return 'the automation is armed after a failover';
  const other = otherRegion(region);
  const standby = regions[other];
  // A database that opened an epoch since it was built was rightly promoted, and its region was lost later.
  const neverServed = standby.database?.newestEpoch?.region !== other;
  if (standby.service === 'following' && standby.database?.role === 'primary' && neverServed)
    return `${other} should follow, but does not`;
  return epoch > 1 && regions[other].acl.kind === 'serve' ? `${other} is not fenced` : undefined;
}

function seatProblem({ authorityStore, regions }: SimulationContext): string | undefined {
  const { database } = regions[authorityStore.row.region];
  if (!database) return 'the active region has no database';
  const heldBack = [...database.tables.pools.values()].find(({ seatsHeldBack, seatsUnresolved }) => {
    return seatsHeldBack > 0 || seatsUnresolved > 0;
  });
  return heldBack ? `pool ${heldBack.id} still holds back ${heldBack.seatsHeldBack} seats` : undefined;
}

function auditProblem({ authorityStore, regions, auditChecker }: SimulationContext): string | undefined {
  const { region, epoch } = authorityStore.row;
  const { database } = regions[region];
  return database && auditChecker.unaccounted(epoch, database.tables);
}

function installationProblem({
  rooms,
  authorityStore,
  regions,
  databases,
  scenario,
}: SimulationContext): string | undefined {
  // A deployment that protects every grant serves none while no follower streams.
  if (scenario.unprotectedAfterMs === 0 && !databases.stream(authorityStore.row.region)?.isStreaming) return undefined;
  const { database } = regions[authorityStore.row.region];
  for (const { name, keepers } of rooms) {
    for (const keeper of keepers) {
      if (keeper.borrowed || keeper.isFinished) continue;
      if (keeper.state !== 'held') return `${name} is not served: ${keeper.id} is ${keeper.state}`;
      if (database?.tables.leases.get(keeper.id)?.state !== 'live') {
        return `${name} holds ${keeper.id}, which is unknown in the active region`;
      }
    }
  }
  return undefined;
}
