import type { DatabaseView } from '@evergrant/controller/core/database-view';
import { down, type Fact, unknown, up } from '@evergrant/controller/core/facts';
import type { AclView, DatabaseServiceView, EdgeView, OutsideView } from '@evergrant/controller/core/phase-views';
import type { Ports } from '@evergrant/controller/ports';
import { OperatingError } from '@evergrant/core/operating-error';
import type { Region } from '@evergrant/core/regions';
import { type DatabaseServer, lsnText } from '../database/database-server';
import { closeEpoch } from '../database/statements';
import { Transaction } from '../database/tables';
import { BEGINNING_MS, type Host } from '../topology/host';
import type { World } from '../world';
import type { HttpAnswer } from './license-server';

const CALL_TIMEOUT_MS = 3_000;
const PROBES = 3;
const PROBE_TIMEOUT_MS = 2_000;

/** The controller's ports over the simulated world, as the adapters in packages/local-cluster have them over the real one. */
export function controllerPorts(host: Host, world: World): Ports {
  const { ohio, random, clockwork } = world;
  return {
    ...ohio.forController(host),
    apps: { probe: (region) => probeApp(host, world, region) },
    databases: {
      view: (region) => viewDatabase(host, world, region),
      promote: (region, epochAtMost) =>
        act(host, world, region, (database) => {
          const newer = (database.newestEpoch?.epoch ?? 0) > epochAtMost;
          if (newer && !world.without.has('promote-guard')) return;
          clockwork.after(random.between(50, 1_500), () => {
            if (database.host.state === 'down') return;
            database.promote();
            world.databases.changed();
          });
        }),
      verifyWrite: (region) => verifyWrite(host, world, region),
      closeEpoch: (region, epoch) =>
        act(host, world, region, (database) => {
          if (database.role !== 'primary') throw new RangeError('it follows');
          const transaction = new Transaction(database.tables, { lastDefence: true });
          const { without } = world;
          closeEpoch({ database, transaction, nowMs: database.host.wallMs(), without }, epoch);
          database.commit(transaction.writes);
        }),
    },
    witness: { view: () => askWitness(host, world) },
    routers: {
      acl: (region) => viewAcl(host, world, region),
      fence: (region, activeRegion) =>
        setRouter(host, world, region, () => {
          world.sites[region].acl = { kind: 'fence', activeRegion };
        }),
      serve: (region) =>
        setRouter(host, world, region, () => {
          world.sites[region].acl = { kind: 'serve' };
        }),
    },
    edge: edgePort(host, world),
    databaseService: servicePort(host, world),
    alerts: { send: async (alert) => world.tell('alert', `${alert.severity}: ${alert.text}`) },
    clock: { nowMs: () => Math.round(host.wallMs()), newId: () => world.newId('op') },
  };
}

async function probeApp(host: Host, world: World, region: Region): Promise<Fact> {
  const site = world.sites[region];
  let seen: Fact | undefined;
  const looks = await Promise.all(
    Array.from({ length: PROBES }, async (_, index): Promise<Fact> => {
      await host.wait((index * PROBE_TIMEOUT_MS) / (2 * PROBES));
      // One good answer is enough: whoever has it may spare the others.
      if (seen && world.scenario.leaps) return seen;
      const answer = await world.network.askHost<HttpAnswer | undefined>(host, site.router, {
        ...{ timeoutMs: PROBE_TIMEOUT_MS, late: undefined, refused: undefined },
        serve: (reply) => void site.route({ kind: 'livez' }).then(reply),
      });
      if (answer?.status === 200) {
        seen = up('a license server answers');
        return seen;
      }
      if (answer?.body.code === 'not_granting') return unknown('a fence answered');
      return down('nobody answers');
    }),
  );
  const order = ['up', 'unknown', 'down'] as const;
  const found = order.flatMap((reading) => looks.find((look) => look.reading === reading) ?? []);
  return found[0] ?? unknown('no look');
}

/** Asks the database at a region's endpoint; undefined when there is none or none answers. */
function askDatabase<T>(
  host: Host,
  { network, sites }: World,
  region: Region,
  serve: (database: DatabaseServer) => T,
): Promise<{ value: T } | { failure: unknown } | undefined> {
  type Served = { value: T } | { failure: unknown } | undefined;
  return network.ask<Served>(host, region, {
    ...{ timeoutMs: CALL_TIMEOUT_MS, late: () => undefined },
    serve: (answer) => {
      const { database } = sites[region];
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

async function viewDatabase(host: Host, world: World, region: Region): Promise<DatabaseView> {
  const served = await askDatabase(host, world, region, (database) => viewOf(world, database));
  return served && 'value' in served ? served.value : { kind: 'unreachable', reason: 'no answer' };
}

function viewOf(world: World, database: DatabaseServer): DatabaseView {
  const row = database.newestEpoch;
  const epoch = row ? { epoch: row.epoch, region: row.region, closed: row.closed } : null;
  const serverNowMs = Math.round(database.host.wallMs());
  if (database.role === 'primary') {
    return { kind: 'primary', serverNowMs, flushedLsn: lsnText(database.position), epoch };
  }
  const stream = Object.values(world.databases.streams).find(({ follower }) => follower === database);
  const heardAtMs = stream?.heardAtMs;
  const receiver =
    heardAtMs === undefined
      ? null
      : { status: 'streaming', lastMessageAtMs: Math.round(BEGINNING_MS + heardAtMs + database.host.aheadMs) };
  return {
    ...{ kind: 'follower', serverNowMs, receivedLsn: lsnText(database.position), epoch, receiver },
    ...{ replayedLsn: lsnText(database.replayed), replayPaused: database.replayPaused },
    lastCommitAtMs: database.lastCommitAtMs ?? null,
  };
}

async function verifyWrite(host: Host, world: World, region: Region): Promise<Fact> {
  const served = await askDatabase(host, world, region, (database) => {
    if (database.role !== 'primary') return down('it is read-only');
    database.commit([]);
    return up('a write was accepted');
  });
  return served && 'value' in served ? served.value : down('no answer');
}

async function act(host: Host, world: World, region: Region, work: (database: DatabaseServer) => void): Promise<void> {
  const served = await askDatabase(host, world, region, work);
  if (served === undefined || 'failure' in served) {
    throw new OperatingError({ code: 'database', message: `${region}: no answer, or a refusal`, retryable: true });
  }
}

async function askWitness(host: Host, { network, witness }: World): Promise<Fact> {
  return network.askHost<Fact>(host, witness.host, {
    ...{ timeoutMs: CALL_TIMEOUT_MS, late: unknown('the witness is silent'), refused: unknown('there is no witness') },
    serve: (answer) => answer(witness.view()),
  });
}

async function viewAcl(host: Host, { network, sites }: World, region: Region): Promise<AclView> {
  const late: AclView = { kind: 'unreachable', reason: 'no answer' };
  return network.askHost<AclView>(host, sites[region].router, {
    ...{ timeoutMs: CALL_TIMEOUT_MS, late, refused: late },
    serve: (answer) => answer(sites[region].acl),
  });
}

async function setRouter(host: Host, { network, sites }: World, region: Region, set: () => void): Promise<void> {
  const done = await network.askHost<boolean>(host, sites[region].router, {
    ...{ timeoutMs: CALL_TIMEOUT_MS, late: false, refused: false },
    serve: (answer) => {
      set();
      answer(true);
    },
  });
  if (!done) throw new OperatingError({ code: 'router', message: `${region}'s router: no answer`, retryable: true });
}

function edgePort(host: Host, { network, edge }: World): Ports['edge'] {
  const unreachable = { kind: 'unreachable', reason: 'no answer' } as const;
  return {
    target: () =>
      network.askHost<EdgeView>(host, edge.host, {
        ...{ timeoutMs: CALL_TIMEOUT_MS, late: unreachable, refused: unreachable },
        serve: (answer) => answer({ kind: 'points_to', region: edge.target }),
      }),
    pointTo: async (region) => {
      const done = await network.askHost<boolean>(host, edge.host, {
        ...{ timeoutMs: CALL_TIMEOUT_MS, late: false, refused: false },
        serve: (answer) => {
          edge.target = region;
          answer(true);
        },
      });
      if (!done) throw new OperatingError({ code: 'edge', message: 'the edge: no answer', retryable: true });
    },
    outside: async () => {
      const answer = await network.askHost<HttpAnswer | undefined>(host, edge.host, {
        ...{ timeoutMs: CALL_TIMEOUT_MS, late: undefined, refused: undefined },
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

/** The service answers for a region as long as its network does. */
function servicePort(host: Host, { network, databases }: World): Ports['databaseService'] {
  const order = async (region: Region, run: () => void): Promise<void> => {
    const done = await network.ask<boolean>(host, region, {
      ...{ timeoutMs: CALL_TIMEOUT_MS, late: () => false },
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
        ...{ timeoutMs: CALL_TIMEOUT_MS, late: () => ({ kind: 'unreachable', reason: 'no answer' }) },
        serve: (answer) => answer({ kind: databases.stateOf(region) }),
      }),
    keep: (region) => order(region, () => databases.keep(region)),
    follow: (region) => order(region, () => databases.follow(region)),
  };
}
