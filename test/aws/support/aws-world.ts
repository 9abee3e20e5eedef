import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { OperatorEventResult } from '@evergrant/controller/aws/operator-events';
import { AWS_REGION_OF, deploymentNames, regionalName } from '@evergrant/controller/aws/resource-names';
import { PRIMARY_REGION, REGIONS, type Region } from '@evergrant/core/regions';
import type { PostgresInstance } from '@evergrant/local-cluster/postgres/instance';
import { eventually } from '@evergrant/test-support/eventually';
import { DeployedHandler } from './deployed-handler';
import { Edges } from './edges';
import { EmulatedAccount } from './emulated-account';
import { CREDENTIALS, type Emulator, startEmulator } from './emulator';
import { FaultProxy } from './fault-proxy';
import { CANARY, Ground } from './ground';
import { startHooks } from './machinery';
import { RegionServers } from './region-servers';
import { SynthesizedApp } from './synthesized-app';

const PUBLIC_NAME = 'licenses.example.com';
const NAMES = deploymentNames('evergrant');
const LEASE_MS = 3_000;
/** The production settings with shorter durations. */
const POLICY = {
  sampleEveryMs: 300,
  samplesToConfirm: 3,
  sampleGapMaxMs: 30_000,
  authorityLeaseMs: LEASE_MS,
  skewMs: 1_000,
  followerSilentAfterMs: 1_500,
  drainAtRestMs: 300,
  followerLostAfterMs: 8_000,
  keepsUpWithinBytes: 100_000,
  fenceMaxMs: 4_000,
  stuckAlertAfterMs: 20_000,
  holdAlertAfterMs: 1_000,
  actWithinMs: 15_000,
  alertResendAfterMs: 5_000,
};

/**
 * The deployed system in our model of AWS: the templates' bundle and environments, an emulator over the wire, and real
 * PostgreSQL databases and license servers behind it.
 */
export class AwsWorld {
  readonly #ground: Ground;
  readonly #emulator: Emulator;
  readonly #account: EmulatedAccount;
  readonly #edges: Edges;
  readonly #servers: RegionServers;
  readonly #handler: DeployedHandler;
  readonly proxy: FaultProxy;

  private constructor(parts: {
    ground: Ground;
    emulator: Emulator;
    account: EmulatedAccount;
    edges: Edges;
    servers: RegionServers;
    handler: DeployedHandler;
    proxy: FaultProxy;
  }) {
    this.#ground = parts.ground;
    this.#emulator = parts.emulator;
    this.#account = parts.account;
    this.#edges = parts.edges;
    this.#servers = parts.servers;
    this.#handler = parts.handler;
    this.proxy = parts.proxy;
  }

  static start(): Promise<AwsWorld> {
    return Ground.carry({ publicName: PUBLIC_NAME, databases: NAMES.databases }, async (ground) => {
      const world = await AwsWorld.#build(ground);
      for (const region of REGIONS) await world.startServers(region);
      await world.armAutomation();
      const grants = async (): Promise<boolean> => (await world.publicStatus()).granting === true;
      await eventually('Oregon grants', grants, { deadlineMs: 30_000 });
      return world;
    });
  }

  close(): Promise<void> {
    return this.#ground.close();
  }

  invoke(event: object = {}): Promise<OperatorEventResult | null> {
    return this.#handler.invoke(event);
  }

  invokeUntil(...how: Parameters<DeployedHandler['invokeUntil']>): Promise<void> {
    return this.#handler.invokeUntil(...how);
  }

  /** Runs the operator's command with AWS credentials. */
  async evergrant(...args: readonly string[]): Promise<string> {
    const main = join(__dirname, '../../../dist/cli/main.js');
    const env = { PATH: process.env.PATH, ...CREDENTIALS, AWS_ENDPOINT_URL: this.#emulator.endpoint };
    return (await promisify(execFile)(process.execPath, [main, ...args], { env })).stdout;
  }

  get stores() {
    return this.#account.stores();
  }

  model: EmulatedAccount['model'] = () => this.#account.model();
  set: EmulatedAccount['set'] = (state) => this.#account.set(state);
  aclOf: EmulatedAccount['aclOf'] = (region) => this.#account.aclOf(region);
  activeRecord: EmulatedAccount['activeRecord'] = () => this.#account.activeRecord();
  setControllerPassword: EmulatedAccount['setControllerPassword'] = (to) => this.#account.setControllerPassword(to);

  publicStatus(): Promise<Record<string, unknown>> {
    return this.#edges.publicStatus();
  }

  /** Kills all processes of a region at once. */
  async killRegion(region: Region): Promise<void> {
    this.killServers(region);
    await this.killDatabase(region);
    if (region === PRIMARY_REGION) await this.set({ witnessHealthy: 0 });
  }

  killServers(region: Region): void {
    this.#servers.kill(region);
  }

  async killDatabase(region: Region): Promise<void> {
    await this.database(region).kill();
  }

  database(region: Region): PostgresInstance {
    return this.#ground.databases.of(NAMES.databases[region]);
  }

  startServers(region: Region): Promise<void> {
    return this.#servers.start(region);
  }

  get databases() {
    return this.#ground.databases;
  }

  /** The egress of the controller, except to AWS services. */
  cutEgress(cut: boolean): void {
    this.#ground.say(CANARY, cut ? 0 : this.proxy.port);
    for (const region of REGIONS) {
      this.#ground.say(`${regionalName(PUBLIC_NAME, region)}:443`, cut ? 0 : this.#edges.balancers[region].port);
    }
  }

  /** The controller's connections to a region's servers and database. All other connections stay. */
  cutOff(region: Region, isCut: boolean): void {
    this.#ground.cut(`${regionalName(PUBLIC_NAME, region)}:443`, isCut);
    this.#ground.cut(`${this.#ground.databaseHost(region)}:5432`, isCut);
  }

  async armAutomation(): Promise<void> {
    const { control } = this.stores;
    const { version, record } = await control.read();
    const armed = { state: 'armed', by: 'test', reason: 'test', sinceMs: Date.now() } as const;
    await control.write({ version, record: { ...record, automation: armed }, history: [] });
  }

  static async #build(ground: Ground): Promise<AwsWorld> {
    const app = new SynthesizedApp();
    const hooks = await startHooks((path, body) => ground.runOperation(path, body));
    ground.closing(() => hooks.close());
    const emulator = await startEmulator(hooks.url);
    ground.closing(() => emulator.close());
    const account = new EmulatedAccount(ground, emulator);
    const known = await account.populate();
    await account.makeDatabases();
    const edges = await Edges.start(ground, app, account);
    await account.setUp();
    const proxy = new FaultProxy(Number(new URL(emulator.endpoint).port));
    const endpoint = await proxy.start();
    ground.closing(() => proxy.close());
    ground.say(CANARY, proxy.port);
    const here = {
      ...CREDENTIALS,
      EVERGRANT_TEST_HOSTS: ground.hostsFile,
      EVERGRANT_DATABASE_CA_FILE: ground.caFile,
    };
    const { bundle, environment } = app.function('Virginia', NAMES.controller, known);
    const handler = new DeployedHandler({
      bundle,
      environment: {
        ...environment,
        ...here,
        EVERGRANT_TEST_HOSTS: ground.controllerHostsFile,
        AWS_REGION: AWS_REGION_OF.virginia,
        AWS_LAMBDA_FUNCTION_NAME: NAMES.controller,
        AWS_ENDPOINT_URL: endpoint,
        NODE_EXTRA_CA_CERTS: ground.caFile,
        EVERGRANT_HOSTED_ZONE_ID: account.hostedZoneId,
        EVERGRANT_POLICY: JSON.stringify(POLICY),
      },
      answerFile: join(ground.home, 'answer.json'),
      proxy,
    });
    const own = {
      ...here,
      EVERGRANT_PORT_LISTEN: '0',
      EVERGRANT_HOST: '127.0.0.1',
      EVERGRANT_AUTHORITY_LEASE_MS: String(LEASE_MS),
      EVERGRANT_RENEWAL_EVERY_MS: '500',
      EVERGRANT_SKEW_MS: '1000',
      EVERGRANT_SECRETS: account.serverSecret,
      AWS_ENDPOINT_URL: emulator.endpoint,
    };
    const servers = new RegionServers({ app, ground, edges, own });
    ground.closing(() => servers.close());
    return new AwsWorld({ ground, emulator, account, edges, servers, handler, proxy });
  }
}
