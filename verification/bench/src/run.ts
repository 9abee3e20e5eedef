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
import { type BenchCase, type BenchTopology, type Fixture, SERVERS_OF, TOPOLOGIES } from './cases';
import { BenchDatabases } from './databases';
import { type FailoverSummary, measureFailovers } from './failovers';
import { GeneratorProcess } from './generator-process';
import { type IdleSessions, measureIdleSessions } from './idle-sessions';
import type { BenchOptions } from './options';
import { cpuSecondsBetween, cpuTimes } from './process-figures';
import { BENCH_LICENSE, fillPools } from './seats';
import { BenchServers } from './servers';
import type { CpuPerOperation, Measurement, Measurements } from './summary';
import { WaitShareMeter } from './wait-share';

type Print = (line: string) => void;

export interface Figures {
  readonly measurements: Measurements;
  readonly idleSessions: IdleSessions | undefined;
  readonly failovers: FailoverSummary | undefined;
}

/** The processes of one bench run. */
interface Testbed {
  readonly databases: BenchDatabases;
  readonly servers: BenchServers;
  readonly generator: GeneratorProcess;
  readonly fixture: Omit<Fixture, 'serverPorts' | 'load'>;
}

/** Measures the cases on one testbed, and then failovers in separate local clusters. */
export async function runBench(options: BenchOptions, print: Print): Promise<Figures> {
  const onTestbed = options.cases.length > 0 || options.idleSessions > 0;
  const figures = onTestbed ? await runOnTestbed(options, print) : { measurements: new Map(), idleSessions: undefined };
  const failovers = options.failovers > 0 ? await measureFailovers(options.failovers, print) : undefined;
  return { ...figures, failovers };
}

/** Builds a testbed, measures every case in every round, and stops the testbed in any case. */
async function runOnTestbed(options: BenchOptions, print: Print): Promise<Omit<Figures, 'failovers'>> {
  const home = mkdtempSync(join(tmpdir(), 'evergrant-bench-'));
  const closers: (() => unknown)[] = [];
  let done = false;
  try {
    const testbed = await buildTestbed(home, options, closers);
    print('the pools are filled');
    const measurements = await measureAll(testbed, options, print);
    const idleSessions = options.idleSessions > 0 ? await measureIdle(testbed, options.idleSessions, print) : undefined;
    done = true;
    return { measurements, idleSessions };
  } finally {
    for (const close of closers.reverse()) await close();
    rmSync(clusterHome(home), { recursive: true, force: true });
    // Keeps the logs of a failed run.
    if (done) rmSync(home, { recursive: true, force: true });
    else print(`logs: ${join(home, 'logs')}`);
  }
}

async function buildTestbed(home: string, options: BenchOptions, closers: (() => unknown)[]): Promise<Testbed> {
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
  // The first server opens the epoch before the pools are filled, because an opening extends every existing lease.
  await servers.start(1, { isFollowed: false });
  const needed = new Set(options.cases.flatMap(({ needs }) => needs));
  const pools = await databases.asOwner((owner) => fillPools(owner, needed));
  const generator = new GeneratorProcess();
  closers.push(() => generator.stop());
  const pool: Fixture['pool'] = (feature) => {
    const found = pools.get(feature);
    if (!found) throw new Error(`the bench has no pool ${feature}`);
    return found;
  };
  const login = databases.login('evergrant_server');
  return { databases, servers, generator, fixture: { pool, token: secrets.tokens.client, login } };
}

function measureIdle({ servers, generator, fixture }: Testbed, sessions: number, print: Print): Promise<IdleSessions> {
  print(`opening ${sessions} sessions`);
  return measureIdleSessions({ servers, generator, token: fixture.token }, sessions);
}

async function measureAll(testbed: Testbed, options: BenchOptions, print: Print): Promise<Measurements> {
  const measurements = new Map<string, Measurement[]>(options.cases.map(({ name }) => [name, []]));
  for (const topology of TOPOLOGIES) {
    const cases = options.cases.filter((each) => each.topology === topology);
    if (cases.length === 0) continue;
    await build(topology, testbed);
    await warmUp(testbed, cases, options);
    for (let round = 1; round <= options.rounds; round += 1) {
      // Every second round runs in reverse order, so that drift affects all cases equally.
      for (const bench of round % 2 === 0 ? [...cases].reverse() : cases) {
        const measurement = await measure(testbed, bench, { ...options, round });
        measurements.get(bench.name)?.push(measurement);
        const perSecond = Math.round(measurement.operations / measurement.seconds);
        print(`round ${round}: ${bench.name.padEnd(32)} ${String(perSecond).padStart(7)}/s`);
      }
    }
  }
  return measurements;
}

async function build(topology: BenchTopology, { databases, servers }: Testbed): Promise<void> {
  if (topology === 'three servers') await databases.replicate();
  if (topology === 'far follower') await databases.replicateFar();
  await servers.start(SERVERS_OF[topology], { isFollowed: topology !== 'one server' });
}

/** Compiles code, fills caches and plans statements before the first measurement. */
async function warmUp(testbed: Testbed, cases: readonly BenchCase[], options: BenchOptions): Promise<void> {
  for (const bench of cases) {
    const isFirst =
      bench === cases.find(({ workload, protocol }) => workload === bench.workload && protocol === bench.protocol);
    if (isFirst && bench.protocol !== 'sql') await measure(testbed, bench, { ...options, round: 0 });
  }
}

async function measure(
  { databases, servers, generator, fixture }: Testbed,
  bench: BenchCase,
  { connections, warmUpSeconds, seconds, round }: BenchOptions & { round: number },
): Promise<Measurement> {
  const load = { connections, warmUpSeconds, seconds };
  const request = bench.request({ ...fixture, serverPorts: servers.ports, load });
  if (bench.cell) databases.setRoundTrip(bench.cell.roundTripMs);
  const waitShare = bench.cell ? new WaitShareMeter(servers) : undefined;
  const look = () => ({
    serversUs: cpuTimes(servers.pids),
    databasesUs: cpuTimes(databases.processes()),
    generatorUs: cpuTimes([generator.pid]),
  });
  let before = look();
  let after = before;
  const measured = await generator.measure(request, {
    onCounting: () => {
      before = look();
      waitShare?.begin();
    },
    onCounted: () => {
      after = look();
      waitShare?.end();
    },
  });
  const perOperation = (who: keyof CpuPerOperation): number => {
    const [started, ended] = [before[who], after[who]];
    return started && ended ? (cpuSecondsBetween(started, ended) * 1e6) / measured.operations : Number.NaN;
  };
  const cpu = {
    serversUs: perOperation('serversUs'),
    databasesUs: perOperation('databasesUs'),
    generatorUs: perOperation('generatorUs'),
  };
  const waitedShare = await waitShare?.share(measured.statuses['201'] ?? 0);
  return { ...measured, round, cpu: Number.isNaN(cpu.serversUs) ? undefined : cpu, waitedShare };
}
