import { execFile, spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DescribeDBInstancesCommand, RDSClient } from '@aws-sdk/client-rds';
import { CreateHostedZoneCommand, ListResourceRecordSetsCommand, Route53Client } from '@aws-sdk/client-route-53';
import { GetWebACLForResourceCommand, WAFV2Client } from '@aws-sdk/client-wafv2';
import { RegionResourceRegistry } from '@evergrant/controller/aws/region-resources';
import { AWS_REGION_OF, deploymentNames } from '@evergrant/controller/aws/resource-names';
import { PRIMARY_REGION, REGIONS, type Region } from '@evergrant/core/regions';
import type { PostgresInstance } from '@evergrant/local-cluster/postgres/instance';
import { eventually } from '@evergrant/test-support/eventually';
import { config } from '../../../deployment.config';
import { Edges } from './edges';
import { storesOf } from './emulated-account';
import { CANARY, Ground } from './ground';
import { freePort, startHooks } from './machinery';
import { SynthesizedApp } from './synthesized-app';
import { Tasks } from './tasks';

const ROOT = join(__dirname, '../../..');
const MODEL = join(__dirname, '../model/cloud_model.py');
export const STUBBED_TYPES_FILE = join(__dirname, '../model/stubbed-resource-types.json');
const HOSTS = join(__dirname, 'hosts.cjs');
const NAMES = deploymentNames(config.deployment);
const PUBLIC_NAME = config.domain.publicName;
/** Credentials of the account's administrator. */
const ROOT_CREDENTIALS = { AWS_ACCESS_KEY_ID: config.account, AWS_SECRET_ACCESS_KEY: 'test' };

/** Arguments of the CDK CLI: no questions, one line per event. */
export const QUIETLY: readonly string[] = ['--require-approval', 'never', '--no-notices', '--progress', 'events'];

export interface Ran {
  readonly code: number;
  readonly output: string;
}

/**
 * An empty AWS account in our model, into which the real CDK CLI deploys the real app. CloudFormation, the functions, their
 * schedule and all permissions are the emulator's. Real databases and servers are behind RDS and the load balancers.
 */
export class CloudWorld {
  readonly app = new SynthesizedApp();
  readonly #ground: Ground;
  #endpoint = '';
  #control = '';
  #witnessSeesOregon = true;
  #edges!: Edges;
  tasks!: Tasks;

  private constructor(ground: Ground) {
    this.#ground = ground;
  }

  static start(): Promise<CloudWorld> {
    return Ground.carry({ publicName: PUBLIC_NAME, databases: NAMES.databases }, async (ground) => {
      const world = new CloudWorld(ground);
      await world.#start();
      return world;
    });
  }

  close(): Promise<void> {
    return this.#ground.close();
  }

  /** Runs the CDK CLI as administrator. No request leaves this machine. */
  cdk(...args: readonly string[]): Promise<Ran> {
    return this.#run(join(ROOT, 'node_modules/aws-cdk/bin/cdk'), args);
  }

  deploy(folder: string): Promise<Ran> {
    return this.cdk('deploy', '--all', '--app', folder, ...QUIETLY);
  }

  /** Runs the guard for one stack, then deploys only this stack. */
  async deployAlone(folder: string, stack: string): Promise<Ran> {
    const guarded = await this.guard(folder, stack);
    if (guarded.code !== 0) return guarded;
    return this.cdk('deploy', '--exclusively', stack, '--app', folder, ...QUIETLY);
  }

  /** Runs work while every call to these AWS regions fails. */
  async lose(...regions: readonly Region[]): Promise<void> {
    const lost = regions.map((region) => AWS_REGION_OF[region]);
    await fetch(this.#control, { method: 'POST', body: JSON.stringify({ lost }) });
  }

  /** What `npm run guard` runs: it compares what is deployed with the templates in `folder`. */
  guard(folder: string, ...stacks: readonly string[]): Promise<Ran> {
    const program = join(ROOT, 'node_modules/tsx/dist/cli.mjs');
    return this.#run(program, ['bin/guard.ts', ...stacks], { CDK_OUTDIR: folder });
  }

  evergrant(...args: readonly string[]): Promise<Ran> {
    return this.#run(join(ROOT, 'dist/cli/main.js'), ['--target', 'aws', ...args]);
  }

  get stores() {
    return storesOf(new DynamoDBClient(this.#settings('virginia')), NAMES.authorityTable);
  }

  /** The roles of the regions according to AWS. A deploy must never change them. */
  async roles(): Promise<object> {
    const [record, acls, instances, { epoch, region, opensAtMs }] = await Promise.all([
      this.activeRecord(),
      Promise.all(REGIONS.map((each) => this.aclOf(each))),
      Promise.all(REGIONS.map((each) => this.#instance(each))),
      this.stores.authority.read(),
    ]);
    const databases = await Promise.all(
      REGIONS.map((each) =>
        this.#database(each).isRunning ? this.#database(each).query('select pg_is_in_recovery() as follows') : 'dead',
      ),
    );
    return { record, acls, instances, databases, authority: { epoch, region, opensAtMs } };
  }

  async aclOf(region: Region): Promise<string | undefined> {
    const resources = new RegionResourceRegistry(new DynamoDBClient(this.#settings('virginia')), NAMES.authorityTable);
    const { loadBalancerArn } = await resources.of(region);
    const get = new GetWebACLForResourceCommand({ ResourceArn: loadBalancerArn });
    return (await new WAFV2Client(this.#settings(region)).send(get)).WebACL?.Name;
  }

  async activeRecord(): Promise<string | undefined> {
    const list = new ListResourceRecordSetsCommand({ HostedZoneId: config.domain.hostedZoneId });
    const { ResourceRecordSets: records = [] } = await new Route53Client(this.#settings('virginia')).send(list);
    const found = records.find(({ Name, Type }) => Type === 'A' && Name === `${PUBLIC_NAME}.`);
    return found?.AliasTarget?.DNSName?.replace(/\.$/, '');
  }

  /** Calls that a policy denied. */
  async refused(): Promise<readonly string[]> {
    return ((await (await fetch(`${this.#control}/refused`)).json()) as { refused: string[] }).refused;
  }

  async startServers(region: Region): Promise<void> {
    this.#edges.balancers[region].targetPort = await this.tasks.startServer(region);
    if (region === PRIMARY_REGION) this.#witnessSeesOregon = true;
  }

  async killOregon(): Promise<void> {
    this.tasks.killServer('oregon');
    this.#edges.balancers.oregon.targetPort = null;
    this.#witnessSeesOregon = false;
    await this.#database('oregon').kill();
  }

  publicStatus(): Promise<Record<string, unknown>> {
    return this.#edges.publicStatus();
  }

  #database(region: Region): PostgresInstance {
    return this.#ground.databases.of(NAMES.databases[region]);
  }

  #settings(region: Region) {
    const credentials = { accessKeyId: config.account, secretAccessKey: 'test' };
    return { region: AWS_REGION_OF[region], endpoint: this.#endpoint, credentials };
  }

  async #instance(region: Region): Promise<object> {
    const describe = new DescribeDBInstancesCommand({ DBInstanceIdentifier: NAMES.databases[region] });
    const { DBInstances: [found] = [] } = await new RDSClient(this.#settings(region)).send(describe);
    return { status: found?.DBInstanceStatus, source: found?.ReadReplicaSourceDBInstanceIdentifier };
  }

  #run(program: string, args: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<Ran> {
    const env = { ...this.#everybody(), ...ROOT_CREDENTIALS, ...more };
    return new Promise((resolve) => {
      execFile(process.execPath, [program, ...args], { cwd: ROOT, env, maxBuffer: 1e8 }, (error, stdout, stderr) => {
        const code = error === null ? 0 : Number(error.code ?? 1);
        resolve({ code, output: stdout + stderr });
      });
    });
  }

  /** Environment of every program under test. */
  #everybody(): Record<string, string> {
    return {
      PATH: process.env.PATH ?? '',
      HOME: this.#ground.home,
      NODE_OPTIONS: `--require ${HOSTS}`,
      EVERGRANT_TEST_HOSTS: this.#ground.hostsFile,
      NODE_EXTRA_CA_CERTS: this.#ground.caFile,
      AWS_ENDPOINT_URL: this.#endpoint,
      AWS_REGION: AWS_REGION_OF.virginia,
      AWS_EC2_METADATA_DISABLED: 'true',
      CDK_DISABLE_VERSION_CHECK: '1',
      CDK_DISABLE_CLI_TELEMETRY: '1',
      // No container engine is available: another test builds the image, and no program pulls it here.
      CDK_DOCKER: join(__dirname, 'no-docker.sh'),
    };
  }

  async #start(): Promise<void> {
    await this.#startEmulator();
    this.#edges = await Edges.start(this.#ground, this.app, this);
    this.tasks = new Tasks({
      control: this.#control,
      environment: this.#everybody(),
      // Settings that differ on a test machine: the port and the certificates.
      own: {
        EVERGRANT_PORT_LISTEN: '0',
        EVERGRANT_HOST: '127.0.0.1',
        EVERGRANT_DATABASE_CA_FILE: this.#ground.caFile,
      },
    });
    this.#ground.closing(() => this.tasks.close());
    // Resources before the first deploy: the zone and the result of `cdk bootstrap`.
    const zone = new CreateHostedZoneCommand({ Name: config.domain.zoneName, CallerReference: 'before' });
    await new Route53Client(this.#settings('virginia')).send(zone);
    const places = REGIONS.map((region) => `aws://${config.account}/${AWS_REGION_OF[region]}`);
    const { code, output } = await this.cdk('bootstrap', ...places, '--no-notices', '--app', this.app.folder);
    if (code !== 0) throw new Error(output);
  }

  async #startEmulator(): Promise<void> {
    const hooks = await startHooks((path, body) => this.#order(path, body));
    this.#ground.closing(() => hooks.close());
    const [port, control] = [await freePort(), await freePort()];
    const python = process.env.EVERGRANT_CLOUD_PYTHON;
    if (python === undefined) throw new Error('there is no emulator: run these tests with npm run test:aws');
    this.#endpoint = `http://127.0.0.1:${port}`;
    this.#control = `http://127.0.0.1:${control}`;
    this.#ground.say(CANARY, port);
    const log =
      process.env.EVERGRANT_MODEL_LOG === undefined
        ? ('ignore' as const)
        : openSync(process.env.EVERGRANT_MODEL_LOG, 'a');
    const args = [MODEL, port, control, hooks.url, STUBBED_TYPES_FILE, config.domain.hostedZoneId].map(String);
    const child = spawn(python, args, {
      // Its functions inherit this environment: local host names and the certificate authority of the test.
      env: {
        ...this.#everybody(),
        ...ROOT_CREDENTIALS,
        AUTH: 'true',
        TMPDIR: this.#ground.home,
        EVERGRANT_DATABASE_CA_FILE: this.#ground.caFile,
      },
      stdio: ['ignore', log, log],
    });
    this.#ground.closing(() => child.kill('SIGKILL'));
    const up = async (): Promise<boolean> => (await fetch(this.#control).catch(() => null)) !== null && this.#answers();
    await eventually('the emulator answers', up, { deadlineMs: 120_000, everyMs: 200 });
  }

  async #answers(): Promise<boolean> {
    return (await fetch(`${this.#endpoint}/_ministack/health`).catch(() => null))?.ok === true;
  }

  async #order(path: string, body: Record<string, string>): Promise<object> {
    if (path === '/witness') return { healthy: this.#witnessSeesOregon };
    await this.#ground.runOperation(path, body);
    return {};
  }
}

/** The types that the emulator does not know, as the list says. */
export function stubbedTypes(): readonly string[] {
  return Object.keys(JSON.parse(readFileSync(STUBBED_TYPES_FILE, 'utf8')) as object);
}
