import type { Region } from '@evergrant/core/regions';
import type { Host } from '../topology/host';
import type { Link } from '../topology/network';
import { PLACES, type SimulatedPlace } from '../topology/place';
import type { SimulatedWorld } from '../world';
import type { Fault, FaultKind, ImportedTerm, OperatorAction } from './scenario';

/** Ends the fault. Its target may have changed since. */
type Undo = () => void;

const regionOf = (where: string): Region => (where === 'virginia' ? 'virginia' : 'oregon');

/** The effect of each fault; the returned function ends it. */
export const FAULTS: Readonly<Record<FaultKind, (world: SimulatedWorld, fault: Fault) => Undo>> = {
  'region-loss': (world, { where }) => {
    const region = regionOf(where);
    const { router, servers } = world.regions[region];
    const reachable = cutOff(world, [region]);
    for (const { host } of servers) host.crash();
    router.crash();
    world.regions[region].database?.host.crash();
    return () => {
      reachable();
      router.start();
      world.regions[region].database?.host.start();
      for (const server of servers) if (server.host.state === 'down') server.start();
    };
  },
  isolation: (world, { where }) =>
    cutOff(world, where === 'virginia' ? ['virginia'] : ['oregon', 'near-oregon'], { together: true }),
  'server-crash': (world, { where }) => {
    const server = world.server(where);
    server?.host.crash();
    return () => {
      if (server?.host.state === 'down') server.start();
    };
  },
  'server-pause': (world, { where }) => pause(world.server(where)?.host),
  'database-crash': (world, { where }) => {
    const database = world.regions[regionOf(where)].database;
    database?.host.crash();
    return () => {
      if (database === world.regions[regionOf(where)].database) database?.host.start();
    };
  },
  'database-pause': (world, { where }) => pause(world.regions[regionOf(where)].database?.host),
  cut: (world, { where }) =>
    change(world, where, (link) => {
      link.cuts += 1;
      return () => {
        link.cuts -= 1;
      };
    }),
  slow: (world, { where, amount }) =>
    change(world, where, (link) => {
      link.slowMs += amount;
      return () => {
        link.slowMs -= amount;
      };
    }),
  lossy: (world, { where, amount }) =>
    change(world, where, (link) => {
      link.lossShare += amount;
      return () => {
        link.lossShare -= amount;
      };
    }),
  twice: (world, { where, amount }) =>
    change(world, where, (link) => {
      link.twiceShare += amount;
      return () => {
        link.twiceShare -= amount;
      };
    }),
  'stream-lag': (world, { where, amount }) => lag(world, where, 'lagMs', amount),
  'acknowledgement-lag': (world, { where, amount }) => lag(world, where, 'acknowledgementLagMs', amount),
  'foreign-walsender': (world, { where }) => {
    const region = world.regions[regionOf(where)];
    region.hasForeignWalsender = true;
    return () => {
      region.hasForeignWalsender = false;
    };
  },
  'replay-pause': (world, { where }) => {
    const { database } = world.regions[regionOf(where)];
    if (database?.role !== 'follower') return () => undefined;
    database.replayPaused = true;
    return () => {
      database.replayPaused = false;
      database.replay();
    };
  },
  clock: (world, { where, amount }) => {
    const host = world.host(where);
    if (host) host.aheadMs = amount;
    // Not to the offset from before this fault, which may be that of another fault that has ended since.
    return () => {
      if (host) host.aheadMs = host.steadyAheadMs;
    };
  },
  'controller-crash': (world, { where }) => {
    const controller = world.controllers.find(({ host }) => host.name === where);
    controller?.host.crash();
    return () => {
      if (controller?.host.state === 'down') controller.start();
    };
  },
  'controller-pause': (world, { where }) => pause(world.host(where)),
  'store-crash': (world) => crash(world.authorityStore.host),
  'edge-crash': (world) => crash(world.edge.host),
  'router-crash': (world, { where }) => crash(world.regions[regionOf(where)].router),
  'witness-crash': (world) => {
    world.witness.host.crash();
    return () => {
      if (world.witness.host.state === 'down') world.witness.start();
    };
  },
  operator: (world, { where }) => {
    void world.operator.perform(where as OperatorAction);
    return () => undefined;
  },
  import: (world, { where, amount }) => {
    void world.operator.importTerm(where as ImportedTerm, amount);
    return () => undefined;
  },
  'take-back': (world, { where }) => {
    const lease = world.rooms.find(({ name }) => name === where)?.keepers.find(({ isFinished }) => !isFinished);
    if (lease) void world.operator.takeBack(lease.id);
    return () => undefined;
  },
  'installation-crash': (world, { where, amount }) => {
    const room = world.rooms.find(({ name }) => name === where);
    room?.crash();
    return () => room?.start((['newest', 'older', 'none'] as const)[amount] ?? 'none');
  },
  'installation-pause': (world, { where }) => pause(world.host(where)),
  'old-call': (world, { where }) => {
    world.rooms.find(({ name }) => name === where)?.replay();
    return () => undefined;
  },
};

function pause(host: Host | undefined): Undo {
  host?.pause();
  return () => host?.resume();
}

function crash(host: Host): Undo {
  host.crash();
  return () => host.start();
}

/** Cuts places off from all others. `together`: they still reach each other. */
function cutOff({ network }: SimulatedWorld, places: readonly SimulatedPlace[], { together = false } = {}): Undo {
  const links: Link[] = [];
  for (const place of places) {
    for (const other of PLACES) {
      if (other === place || (together && places.includes(other))) continue;
      links.push(network.link(place, other), network.link(other, place));
    }
  }
  for (const link of links) link.cuts += 1;
  return () => {
    for (const link of links) link.cuts -= 1;
  };
}

/** `from>to`: one direction; `from<>to`: both. */
function change({ network }: SimulatedWorld, where: string, hit: (link: Link) => Undo): Undo {
  const both = where.includes('<>');
  const [from, to] = where.split(both ? '<>' : '>') as [SimulatedPlace, SimulatedPlace];
  const links = [network.link(from, to), ...(both && from !== to ? [network.link(to, from)] : [])];
  const undo = links.map(hit);
  return () => {
    for (const each of undo) each();
  };
}

function lag(
  { databases }: SimulatedWorld,
  where: string,
  what: 'lagMs' | 'acknowledgementLagMs',
  amount: number,
): Undo {
  const stream = databases.stream(regionOf(where));
  if (!stream) return () => undefined;
  stream.faults[what] += amount;
  return () => {
    stream.faults[what] -= amount;
  };
}
