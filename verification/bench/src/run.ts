import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Layout } from '@evergrant/local-cluster/layout';
import { clusterHome } from '@evergrant/local-cluster/postgres/binaries';
import { projectRoot } from '@evergrant/local-cluster/world/files';
import { prepareLicensing } from '@evergrant/local-cluster/world/licensing';
import { findFreeBasePort } from '@evergrant/local-cluster/world/ports';
import { runMigrations } from '@evergrant/local-cluster/world/run-migrations';
import { loadOrCreateSecrets, writeSecretFiles } from '@evergrant/local-cluster/world/secrets';
import { type BenchCase, type Ground, SERVERS_OF, STANDS, type Stand } from './cases';
import { BenchDatabases } from './databases';
import { type FailoverSummary, measureFailovers } from './failovers';
import { GeneratorProcess } from './generator-process';
import { type IdleSessions, measureIdleSessions } from './idle-sessions';
import type { BenchOptions } from './options';
import { cpuSecondsBetween, cpuTimes } from './process-figures';
import { BENCH_LICENSE, fillPools } from './seats';
import { BenchServers } from './servers';
import type { CpuPerOperation, Measurement, Measurements } from './summary';
import { Waits } from './wait-share';

type Tell = (line: string) => void;

export interface Figures {
  readonly measurements: Measurements;
  readonly idleSessions: IdleSessions | undefined;
  readonly failovers: FailoverSummary | undefined;
}

/** Where everything of one bench runs. */
interface Site {
  readonly databases: BenchDatabases;
  readonly servers: BenchServers;
  readonly generator: GeneratorProcess;
  readonly ground: Omit<Ground, 'serverPorts' | 'load'>;
}

/** Measures at a site of its own, and then in worlds of their own: never at two places at once. */
export async function runBench(options: BenchOptions, tell: Tell): Promise<Figures> {
  const atSite = options.cases.length > 0 || options.idleSessions > 0;
  const figures = atSite ? await runAtSite(options, tell) : { measurements: new Map(), idleSessions: undefined };
  const failovers = options.failovers > 0 ? await measureFailovers(options.failovers, tell) : undefined;
  return { ...figures, failovers };
}

/** Builds a site, measures every case in every round, and takes the site down whatever happens. */
async function runAtSite(options: BenchOptions, tell: Tell): Promise<Omit<Figures, 'failovers'>> {
  const home = mkdtempSync(join(tmpdir(), 'evergrant-bench-'));
  const closers: (() => unknown)[] = [];
  let done = false;
  try {
    const site = await buildSite(home, options, closers);
    tell('the pools are filled');
    const measurements = await measureAll(site, options, tell);
    const idleSessions = options.idleSessions > 0 ? await measureIdle(site, options.idleSessions, tell) : undefined;
    done = true;
    return { measurements, idleSessions };
  } finally {
    for (const close of closers.reverse()) await close();
    rmSync(clusterHome(home), { recursive: true, force: true });
    // What did not work out leaves its logs behind.
    if (done) rmSync(home, { recursive: true, force: true });
    else tell(`logs: ${join(home, 'logs')}`);
  }
}

async function buildSite(home: string, options: BenchOptions, closers: (() => unknown)[]): Promise<Site> {
  mkdirSync(join(home, 'logs'), { recursive: true });
  const layout = new Layout(process.env.EVERGRANT_PORT ? Number(process.env.EVERGRANT_PORT) : await findFreeBasePort());
  const secretsDir = join(home, 'secrets');
  const secrets = await loadOrCreateSecrets(secretsDir);
  const draftFile = join(home, 'license.json');
  writeFileSync(draftFile, JSON.stringify(BENCH_LICENSE));
  const licensing = await prepareLicensing({ dir: join(secretsDir, 'licensing'), draftFile, trustFiles: [] });
  const { trustFile } = licensing;
  const secretFiles = writeSecretFiles(secretsDir, secrets, licensing.deploymentKey);
  const databases = new BenchDatabases({ layout, home, secrets });
  closers.push(() => databases.stop());
  await databases.start();
  await runMigrations({
    ...{ distDir: join(projectRoot(), 'dist'), home, trustFile },
    licenseFiles: licensing.licenses.map(({ file }) => file),
    databasePort: layout.port('oregon/db-a'),
    secretsFile: secretFiles.migration,
    tokensFile: secretFiles.tokens,
  });
  const servers = new BenchServers({ layout, home, secretFiles, trustFile, profileTo: options.profileTo });
  closers.push(() => servers.stop());
  // The first server opens the epoch; leases that were there before it would be extended by that, one by one.
  await servers.start(1, { isFollowed: false });
  const needed = new Set(options.cases.flatMap(({ needs }) => needs));
  const pools = await databases.asOwner((owner) => fillPools(owner, needed));
  const generator = new GeneratorProcess();
  closers.push(() => generator.stop());
  const pool: Ground['pool'] = (feature) => {
    const found = pools.get(feature);
    if (!found) throw new Error(`the bench has no pool ${feature}`);
    return found;
  };
  const login = databases.login('evergrant_server');
  return { databases, servers, generator, ground: { pool, token: secrets.tokens.client, login } };
}

function measureIdle({ servers, generator, ground }: Site, sessions: number, tell: Tell): Promise<IdleSessions> {
  tell(`opening ${sessions} sessions`);
  return measureIdleSessions({ servers, generator, token: ground.token }, sessions);
}

async function measureAll(site: Site, options: BenchOptions, tell: Tell): Promise<Measurements> {
  const measurements = new Map<string, Measurement[]>(options.cases.map(({ name }) => [name, []]));
  for (const stand of STANDS) {
    const cases = options.cases.filter((each) => each.stand === stand);
    if (cases.length === 0) continue;
    await build(stand, site);
    await warmUp(site, cases, options);
    for (let round = 1; round <= options.rounds; round += 1) {
      // There and back again: whatever drifts during the bench drifts both ways.
      for (const bench of round % 2 === 0 ? [...cases].reverse() : cases) {
        const measurement = await measure(site, bench, { ...options, round });
        measurements.get(bench.name)?.push(measurement);
        const perSecond = Math.round(measurement.operations / measurement.seconds);
        tell(`round ${round}: ${bench.name.padEnd(32)} ${String(perSecond).padStart(7)}/s`);
      }
    }
  }
  return measurements;
}

async function build(stand: Stand, { databases, servers }: Site): Promise<void> {
  if (stand === 'three servers') await databases.replicate();
  if (stand === 'far follower') await databases.replicateFar();
  await servers.start(SERVERS_OF[stand], { isFollowed: stand !== 'one server' });
}

/** Compiled code, filled caches, planned statements: whatever only the first requests pay for. */
async function warmUp(site: Site, cases: readonly BenchCase[], options: BenchOptions): Promise<void> {
  for (const bench of cases) {
    const isFirst = bench === cases.find(({ verb, way }) => verb === bench.verb && way === bench.way);
    if (isFirst && bench.way !== 'sql') await measure(site, bench, { ...options, round: 0 });
  }
}

async function measure(
  { databases, servers, generator, ground }: Site,
  bench: BenchCase,
  { connections, warmUpSeconds, seconds, round }: BenchOptions & { round: number },
): Promise<Measurement> {
  const load = { connections, warmUpSeconds, seconds };
  const order = bench.order({ ...ground, serverPorts: servers.ports, load });
  if (bench.cell) databases.setRoundTrip(bench.cell.roundTripMs);
  const waits = bench.cell ? new Waits(servers) : undefined;
  const look = () => ({
    serversUs: cpuTimes(servers.pids),
    databasesUs: cpuTimes(databases.processes()),
    generatorUs: cpuTimes([generator.pid]),
  });
  let before = look();
  let after = before;
  const measured = await generator.measure(order, {
    onCounting: () => {
      before = look();
      waits?.begin();
    },
    onCounted: () => {
      after = look();
      waits?.end();
    },
  });
  const perOperation = (who: keyof CpuPerOperation): number => {
    const [begun, ended] = [before[who], after[who]];
    return begun && ended ? (cpuSecondsBetween(begun, ended) * 1e6) / measured.operations : Number.NaN;
  };
  const cpu = {
    serversUs: perOperation('serversUs'),
    databasesUs: perOperation('databasesUs'),
    generatorUs: perOperation('generatorUs'),
  };
  const waitedShare = await waits?.share(measured.statuses['201'] ?? 0);
  return { ...measured, round, cpu: Number.isNaN(cpu.serversUs) ? undefined : cpu, waitedShare };
}
