import type { DatabaseView } from '@evergrant/controller/core/database-view';
import { down, type Fact, unknown, up } from '@evergrant/controller/core/facts';
import type { AclView, DatabaseServiceView, EdgeView, OutsideView } from '@evergrant/controller/core/views';
import type { Ports } from '@evergrant/controller/ports';
import { OperatingError } from '@evergrant/core/operating-error';
import { PRIMARY_REGION, type Region } from '@evergrant/core/regions';
import type { SimulationContext } from '../context';
import { type DatabaseServer, lsnText } from '../database/database-server';
import { closeEpoch } from '../database/statements';
import { SimulatedTransaction } from '../database/tables';
import { BEGINNING_MS, type Host } from '../topology/host';
import type { HttpAnswer } from './http';

const CALL_TIMEOUT_MS = 3_000;
const PROBES = 3;
const PROBE_TIMEOUT_MS = 2_000;

/** The controller's ports over the simulation, like the adapters of packages/local-cluster over processes. */
export function controllerPorts(host: Host, simulation: SimulationContext): Ports {
  const { authorityStore, random, virtualClock } = simulation;
  return {
    ...authorityStore.forController(host),
    apps: { probe: (region) => probeApp(host, simulation, region) },
    databases: {
      view: (region) => viewDatabase(host, simulation, region),
      promote: (region, epochAtMost) =>
        act(host, simulation, region, (database) => {
          const newer = (database.newestEpoch?.epoch ?? 0) > epochAtMost;
          if (newer && !simulation.disabled.has('promote-guard')) return;
          virtualClock.after(random.between(50, 1_500), () => {
            if (database.host.state === 'down') return;
            database.promote();
            simulation.databases.changed();
          });
        }),
      verifyWrite: (region) => verifyWrite(host, simulation, region),
      closeEpoch: (region, epoch) =>
        act(host, simulation, region, (database) => {
          if (database.role !== 'primary') throw new RangeError('the database is a follower');
          const transaction = new SimulatedTransaction(database.tables, { enforcesConstraint: true });
          const { disabled } = simulation;
          closeEpoch({ database, transaction, nowMs: database.host.wallMs(), disabled }, epoch);
          database.commit(transaction.writes);
        }),
    },
    witness: {
      view: async (region) =>
        region === PRIMARY_REGION ? askWitness(host, simulation) : unknown(`the witness does not watch ${region}`),
    },
    routers: {
      acl: (region) => viewAcl(host, simulation, region),
      fence: (region, activeRegion) =>
        setRouter(host, simulation, region, () => {
          simulation.regions[region].acl = { kind: 'fence', activeRegion };
        }),
      serve: (region) =>
        setRouter(host, simulation, region, () => {
          simulation.regions[region].acl = { kind: 'serve' };
        }),
    },
    edge: edgePort(host, simulation),
    databaseService: servicePort(host, simulation),
    alerts: { send: async (alert) => simulation.record('alert', `${alert.severity}: ${alert.text}`) },
    clock: { nowMs: () => Math.round(host.wallMs()), newId: () => simulation.newId('op') },
  };
}

async function probeApp(host: Host, simulation: SimulationContext, region: Region): Promise<Fact> {
  const simulatedRegion = simulation.regions[region];
  let seen: Fact | undefined;
  const probes = await Promise.all(
    Array.from({ length: PROBES }, async (_, index): Promise<Fact> => {
      await host.wait((index * PROBE_TIMEOUT_MS) / (2 * PROBES));
      // One good answer is enough; the other probes are skipped to save time.
      if (seen && simulation.scenario.skipsIdleTime) return seen;
      const answer = await simulation.network.askHost<HttpAnswer | undefined>(host, simulatedRegion.router, {
        timeoutMs: PROBE_TIMEOUT_MS,
        late: undefined,
        refused: undefined,
        serve: (reply) => void simulatedRegion.route({ kind: 'livez' }).then(reply),
      });
      if (answer?.status === 200) {
        seen = up('a license server answers');
        return seen;
      }
      if (answer?.body.code === 'not_granting') return unknown('a fence answered');
      return down('no server answers');
    }),
  );
  const preferred = ['up', 'unknown', 'down'] as const;
  const found = preferred.flatMap((reading) => probes.find((probe) => probe.reading === reading) ?? []);
  return found[0] ?? unknown('no probe');
}

/** Calls the database at a region's endpoint. Resolves to undefined when none is there or none answers. */
function askDatabase<T>(
  host: Host,
  { network, regions }: SimulationContext,
  region: Region,
  serve: (database: DatabaseServer) => T,
): Promise<{ value: T } | { failure: unknown } | undefined> {
  type Served = { value: T } | { failure: unknown } | undefined;
  return network.ask<Served>(host, region, {
    timeoutMs: CALL_TIMEOUT_MS,
    late: () => undefined,
    serve: (answer) => {
      const { database } = regions[region];
      if (!database || database.host.state === 'down') return answer(undefined);
      database.host.arrive(database.host.life, () => {
        try {
          answer({ value: serve(database) });
        } catch (failure) {
          answer({ failure });
        }
      });
    },
  });
}

async function viewDatabase(host: Host, simulation: SimulationContext, region: Region): Promise<DatabaseView> {
  const served = await askDatabase(host, simulation, region, (database) => viewOf(simulation, database));
  return served && 'value' in served ? served.value : { kind: 'unreachable', reason: 'no answer' };
}

function viewOf(simulation: SimulationContext, database: DatabaseServer): DatabaseView {
  const row = database.newestEpoch;
  const epoch = row ? { epoch: row.epoch, region: row.region, closed: row.closed } : undefined;
  const serverNowMs = Math.round(database.host.wallMs());
  if (database.role === 'primary') {
    return { kind: 'primary', serverNowMs, flushedLsn: lsnText(database.position), epoch };
  }
  const stream = Object.values(simulation.databases.streams).find(({ follower }) => follower === database);
  const heardAtMs = stream?.heardAtMs;
  const receiver =
    heardAtMs === undefined
      ? undefined
      : { status: 'streaming', lastMessageAtMs: Math.round(BEGINNING_MS + heardAtMs + database.host.aheadMs) };
  return {
    kind: 'follower',
    serverNowMs,
    receivedLsn: lsnText(database.position),
    epoch,
    receiver,
    replayedLsn: lsnText(database.replayed),
    replayPaused: database.replayPaused,
    lastCommitAtMs: database.lastCommitAtMs,
  };
}

async function verifyWrite(host: Host, simulation: SimulationContext, region: Region): Promise<Fact> {
  const served = await askDatabase(host, simulation, region, (database) => {
    if (database.role !== 'primary') return down('it is read-only');
    database.commit([]);
    return up('a write was accepted');
  });
  return served && 'value' in served ? served.value : down('no answer');
}

async function act(
  host: Host,
  simulation: SimulationContext,
  region: Region,
  work: (database: DatabaseServer) => void,
): Promise<void> {
  const served = await askDatabase(host, simulation, region, work);
  if (served === undefined || 'failure' in served) {
    throw new OperatingError({ code: 'database', message: `${region}: no answer, or a refusal`, retryable: true });
  }
}

async function askWitness(host: Host, { network, witness }: SimulationContext): Promise<Fact> {
  return network.askHost<Fact>(host, witness.host, {
    timeoutMs: CALL_TIMEOUT_MS,
    late: unknown('the witness is silent'),
    refused: unknown('there is no witness'),
    serve: (answer) => answer(witness.view()),
  });
}

async function viewAcl(host: Host, { network, regions }: SimulationContext, region: Region): Promise<AclView> {
  const late: AclView = { kind: 'unreachable', reason: 'no answer' };
  return network.askHost<AclView>(host, regions[region].router, {
    timeoutMs: CALL_TIMEOUT_MS,
    late,
    refused: late,
    serve: (answer) => answer(regions[region].acl),
  });
}

async function setRouter(
  host: Host,
  { network, regions }: SimulationContext,
  region: Region,
  set: () => void,
): Promise<void> {
  const done = await network.askHost<boolean>(host, regions[region].router, {
    timeoutMs: CALL_TIMEOUT_MS,
    late: false,
    refused: false,
    serve: (answer) => {
      set();
      answer(true);
    },
  });
  if (!done) throw new OperatingError({ code: 'router', message: `${region}'s router: no answer`, retryable: true });
}

function edgePort(host: Host, { network, edge }: SimulationContext): Ports['edge'] {
  const unreachable = { kind: 'unreachable', reason: 'no answer' } as const;
  return {
    target: () =>
      network.askHost<EdgeView>(host, edge.host, {
        timeoutMs: CALL_TIMEOUT_MS,
        late: unreachable,
        refused: unreachable,
        serve: (answer) => answer({ kind: 'points_to', region: edge.target }),
      }),
    pointTo: async (region) => {
      const done = await network.askHost<boolean>(host, edge.host, {
        timeoutMs: CALL_TIMEOUT_MS,
        late: false,
        refused: false,
        serve: (answer) => {
          edge.target = region;
          answer(true);
        },
      });
      if (!done) throw new OperatingError({ code: 'edge', message: 'the edge: no answer', retryable: true });
    },
    outside: async () => {
      const answer = await network.askHost<HttpAnswer | undefined>(host, edge.host, {
        timeoutMs: CALL_TIMEOUT_MS,
        late: undefined,
        refused: undefined,
        serve: (reply) => void edge.forward({ kind: 'status' }).then(reply),
      });
      return outsideView(answer);
    },
  };
}

function outsideView(answer: HttpAnswer | undefined): OutsideView {
  if (answer === undefined) return { kind: 'unreachable', reason: 'no answer' };
  const { granting, region, epoch } = answer.body as { granting?: boolean; region?: Region; epoch?: number };
  if (granting !== true || region === undefined) return { kind: 'not_granting', reason: `status ${answer.status}` };
  return { kind: 'granting', region, epoch: epoch ?? 0 };
}

/** The database service of a region answers while the region's network does. */
function servicePort(host: Host, { network, databases }: SimulationContext): Ports['databaseService'] {
  const command = async (region: Region, run: () => void): Promise<void> => {
    const done = await network.ask<boolean>(host, region, {
      timeoutMs: CALL_TIMEOUT_MS,
      late: () => false,
      serve: (answer) => {
        run();
        answer(true);
      },
    });
    if (!done) throw new OperatingError({ code: 'database_service', message: `${region}: no answer`, retryable: true });
  };
  return {
    view: (region) =>
      network.ask<DatabaseServiceView>(host, region, {
        timeoutMs: CALL_TIMEOUT_MS,
        late: () => ({ kind: 'unreachable', reason: 'no answer' }),
        serve: (answer) => answer({ kind: databases.stateOf(region) }),
      }),
    archive: (region) => command(region, () => databases.keep(region)),
    follow: (region) => command(region, () => databases.follow(region)),
  };
}
