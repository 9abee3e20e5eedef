import { type ChildProcess, execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { CreateDBInstanceCommand, RDSClient } from '@aws-sdk/client-rds';
import { CreateHealthCheckCommand, CreateHostedZoneCommand, Route53Client } from '@aws-sdk/client-route-53';
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { CreateTopicCommand, SNSClient } from '@aws-sdk/client-sns';
import { CreateWebACLCommand, WAFV2Client } from '@aws-sdk/client-wafv2';
import { DynamoAuthorityStore } from '../../../lambda/failover/aws/authority-store';
import { DynamoControlStore } from '../../../lambda/failover/aws/control-store';
import { AWS_REGION_OF, deploymentNames, REGIONS, regionalName } from '../../../lambda/failover/aws/deployment';
import { StoreClock } from '../../../lambda/failover/aws/store-clock';
import { PRIMARY_REGION, type Region } from '../../../lambda/failover/core/regions';
import type { OrderAnswer } from '../../../lambda/failover/orders';
import { seedAssociation } from '../../../lambda/setup/association';
import { seedAuthority } from '../../../lambda/setup/authority';
import { introduce } from '../../../lambda/setup/introduction';
import { seedPublicRecord } from '../../../lambda/setup/public-record';
import type { SetupClients } from '../../../lambda/setup/setup-work';
import { seedSigningKeys } from '../../../lambda/setup/signing-keys';
import { clusterHome } from '../../../local/postgres/binaries';
import { eventually } from '../../support/eventually';
import { DatabaseModel } from './database-model';
import { CREDENTIALS, createAuthorityTable, startEmulator } from './emulator';
import { FaultProxy } from './fault-proxy';
import { certificate, freePort, startHooks } from './machinery';
import { LoadBalancerModel, listening, type ModelState, publicName, startServer } from './region-model';
import { SynthesizedApp } from './synthesized-app';

const ACCOUNT = '111122223333';
const PUBLIC_NAME = 'licenses.example.com';
const NAMES = deploymentNames('evergrant');
const LEASE_MS = 3_000;
/** As in production, but in a hurry. */
const POLICY = {
  sampleEveryMs: 300,
  samplesToConfirm: 3,
  sampleGapMaxMs: 30_000,
  authorityLeaseMs: LEASE_MS,
  skewMs: 1_000,
  followerSilentAfterMs: 1_500,
  drainAtRestMs: 300,
  stuckAlertAfterMs: 20_000,
  holdAlertAfterMs: 1_000,
  actWithinMs: 15_000,
  alertResendAfterMs: 5_000,
};

type Clients = Record<Region, SetupClients & { rds: RDSClient; sns: SNSClient }>;

/**
 * The deployed system in our model of AWS: the templates' bundle and environments, an emulator over the wire, and real
 * PostgreSQL databases and license servers behind it.
 */
export class AwsWorld {
  readonly app = new SynthesizedApp();
  readonly #folder = mkdtempSync(join(tmpdir(), 'evergrant-aws-'));
  readonly home = clusterHome(this.#folder);
  readonly #ports: Record<string, number> = {};
  readonly #servers = new Map<Region, ChildProcess>();
  readonly #closing: (() => void)[] = [];
  databases!: DatabaseModel;
  proxy!: FaultProxy;
  #balancers!: Record<Region, LoadBalancerModel>;
  #control!: string;
  #endpoint!: string;
  #lambda!: { bundle: string; environment: Record<string, string> };
  #signingSecret = '';
  #serverPassword = '';

  static async start(): Promise<AwsWorld> {
    const world = new AwsWorld();
    try {
      await world.#start();
      return world;
    } catch (error) {
      await world.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    for (const child of this.#servers.values()) child.kill('SIGKILL');
    for (const close of this.#closing) close();
    await this.databases?.end();
    for (const folder of [this.home, this.#folder]) rmSync(folder, { recursive: true, force: true });
  }

  /** One invocation of the schedule, or an order; `killAfterCalls` kills its process after so many answered calls. */
  async invoke(event: object = {}, { killAfterCalls }: { killAfterCalls?: number } = {}): Promise<OrderAnswer | null> {
    const answerFile = join(this.home, 'answer.json');
    const script = join(__dirname, 'invoke.cjs');
    const args = [
      '--require',
      join(__dirname, 'hosts.cjs'),
      script,
      this.#lambda.bundle,
      '24000',
      JSON.stringify(event),
      answerFile,
    ];
    return new Promise((resolve, reject) => {
      const child = execFile(
        process.execPath,
        args,
        { env: { PATH: process.env.PATH, ...this.#lambda.environment }, maxBuffer: 1e8 },
        (error, stdout, stderr) => {
          this.log.push(stdout, stderr);
          if (error !== null && killAfterCalls === undefined)
            reject(new Error(`${error.message}\n${stdout}\n${stderr}`));
          else
            resolve(
              killAfterCalls === undefined
                ? (JSON.parse(readFileSync(answerFile, 'utf8')) as OrderAnswer | null)
                : null,
            );
        },
      );
      if (killAfterCalls === undefined) return;
      let answered = 0;
      this.proxy.onAnswered = () => {
        answered += 1;
        if (answered === killAfterCalls) child.kill('SIGKILL');
      };
    });
  }

  readonly log: string[] = [];

  /** Invokes as the schedule does until `done` holds. */
  async invokeUntil(
    what: string,
    done: () => Promise<boolean>,
    { invocationsMax = 30, killAfterCalls }: { invocationsMax?: number; killAfterCalls?: (n: number) => number } = {},
  ): Promise<void> {
    for (let n = 1; n <= invocationsMax; n += 1) {
      await this.invoke({}, killAfterCalls === undefined ? {} : { killAfterCalls: killAfterCalls(n) });
      if (await done()) return;
    }
    throw new Error(`not after ${invocationsMax} invocations: ${what}\n${this.log.slice(-8).join('\n')}`);
  }

  stores(): { authority: DynamoAuthorityStore; control: DynamoControlStore } {
    const client = new DynamoDBClient({
      region: AWS_REGION_OF.virginia,
      endpoint: this.#emulator,
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    });
    const clock = new StoreClock({ nowMs: () => Date.now(), skewMs: 60_000 });
    return {
      authority: new DynamoAuthorityStore({ client, table: NAMES.authorityTable, clock }),
      control: new DynamoControlStore({ client, table: NAMES.authorityTable, nowMs: () => Date.now() }),
    };
  }

  /** The operator's command, as a person with AWS credentials runs it. */
  async evergrant(...args: readonly string[]): Promise<string> {
    const main = join(__dirname, '../../../dist/cli/main.js');
    const env = { PATH: process.env.PATH, ...CREDENTIALS, AWS_ENDPOINT_URL: this.#emulator };
    return (await promisify(execFile)(process.execPath, [main, ...args], { env })).stdout;
  }

  async model(): Promise<ModelState> {
    return (await (await fetch(this.#control)).json()) as ModelState;
  }

  async set(state: { witnessHealthy?: number; witnessOf?: number; changeSeconds?: number }): Promise<void> {
    await fetch(this.#control, { method: 'POST', body: JSON.stringify(state) });
  }

  async aclOf(region: Region): Promise<string | undefined> {
    return (await this.model()).acls[loadBalancerArn(region)];
  }

  async activeRecord(): Promise<string | undefined> {
    return (await this.model()).records[PUBLIC_NAME];
  }

  /** All that stands in a region dies at once. */
  async killRegion(region: Region): Promise<void> {
    this.killServers(region);
    await this.killDatabase(region);
    if (region === PRIMARY_REGION) await this.set({ witnessHealthy: 0 });
  }

  killServers(region: Region): void {
    this.#servers.get(region)?.kill('SIGKILL');
    this.#balancers[region].targetPort = null;
  }

  async killDatabase(region: Region): Promise<void> {
    await this.databases.of(NAMES.databases[region]).kill();
  }

  async startServers(region: Region): Promise<void> {
    this.#servers.get(region)?.kill('SIGKILL');
    const stack = region === 'oregon' ? 'Oregon' : 'Virginia';
    const environment = this.app.serverEnvironment(stack, { LicenseDatabaseInstance: databaseHost(region) });
    const { child, port } = startServer({
      ...environment,
      ...this.#emulated(),
      // What a test machine has differently: its ports, its hurry, and its own certificates.
      EVERGRANT_PORT_LISTEN: '0',
      EVERGRANT_HOST: '127.0.0.1',
      EVERGRANT_DATABASE_CA_FILE: join(this.home, 'ca.pem'),
      EVERGRANT_AUTHORITY_LEASE_MS: String(LEASE_MS),
      EVERGRANT_RENEWAL_EVERY_MS: '500',
      EVERGRANT_SKEW_MS: '1000',
      EVERGRANT_SECRETS: this.#signingSecret,
      AWS_ENDPOINT_URL: this.#emulator,
    });
    this.#servers.set(region, child);
    this.#balancers[region].targetPort = await port;
  }

  /** What a customer sees at the public address. */
  async publicStatus(): Promise<{ status: number; body: Record<string, unknown> }> {
    const record = await this.activeRecord();
    const region = REGIONS.find((candidate) => record === regionalName(PUBLIC_NAME, candidate));
    const target = region === undefined ? null : this.#balancers[region].targetPort;
    if (target === null || (await this.aclOf(region as Region)) !== NAMES.serveAcl) return { status: 503, body: {} };
    const answer = await fetch(`http://127.0.0.1:${target}/v1/status`);
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  }

  async setControllerPassword(password: string): Promise<void> {
    const value = { dbname: 'evergrant', username: 'evergrant_controller', password };
    const { secrets } = this.#clients().virginia;
    await secrets.send(
      new PutSecretValueCommand({ SecretId: NAMES.secrets.controller, SecretString: JSON.stringify(value) }),
    );
  }

  /** The controller's way out to the world; its ways to the AWS services stay. */
  cutEgress(cut: boolean): void {
    this.#say('dynamodb.us-east-2.amazonaws.com:443', cut ? 0 : this.proxy.port);
    for (const region of REGIONS) {
      this.#say(`${regionalName(PUBLIC_NAME, region)}:443`, cut ? 0 : this.#balancers[region].port);
    }
  }

  async armAutomation(): Promise<void> {
    const { control } = this.stores();
    const { version, record } = await control.read();
    const armed = { state: 'armed', by: 'test', reason: 'test', sinceMs: Date.now() } as const;
    await control.write({ version, record: { ...record, automation: armed }, history: [] });
  }

  get #emulator(): string {
    return this.#endpoint;
  }

  #emulated(): Record<string, string> {
    return { ...CREDENTIALS, EVERGRANT_TEST_HOSTS: join(this.home, 'hosts.json') };
  }

  /** Names to ports; a name that leads nowhere leads to a port on which nobody listens. */
  #say(name: string, port: number): void {
    this.#ports[name] = port;
    writeFileSync(join(this.home, 'hosts.json'), JSON.stringify(this.#ports));
  }

  async #start(): Promise<void> {
    const tls = await certificate([
      PUBLIC_NAME,
      ...REGIONS.flatMap((region) => [regionalName(PUBLIC_NAME, region), databaseHost(region)]),
    ]);
    writeFileSync(join(this.home, 'ca.pem'), tls.cert);
    this.databases = new DatabaseModel({ home: this.home, tls, freePort });
    await this.#startEmulator();
    const clients = this.#clients();
    const known = await this.#populate(clients);
    await this.#startDatabases(clients[PRIMARY_REGION].secrets);
    await this.#startEdges(tls);
    for (const region of REGIONS) await this.#setUp(region, clients[region]);
    this.proxy = new FaultProxy(Number(new URL(this.#endpoint).port));
    const endpoint = await this.proxy.start();
    this.#closing.push(() => this.proxy.close());
    this.#say('dynamodb.us-east-2.amazonaws.com:443', this.proxy.port);
    const { bundle, environment } = this.app.function('Virginia', NAMES.controller, known);
    this.#lambda = {
      bundle,
      environment: {
        ...environment,
        ...this.#emulated(),
        AWS_REGION: AWS_REGION_OF.virginia,
        AWS_LAMBDA_FUNCTION_NAME: NAMES.controller,
        AWS_ENDPOINT_URL: endpoint,
        NODE_EXTRA_CA_CERTS: join(this.home, 'ca.pem'),
        EVERGRANT_DATABASE_CA_FILE: join(this.home, 'ca.pem'),
        EVERGRANT_HOSTED_ZONE_ID: this.zoneId,
        EVERGRANT_POLICY: JSON.stringify(POLICY),
      },
    };
    for (const region of REGIONS) await this.startServers(region);
    await this.armAutomation();
    await eventually('Oregon grants', async () => (await this.publicStatus()).body.granting === true, {
      deadlineMs: 30_000,
    });
  }

  async #startEmulator(): Promise<void> {
    const hooks = await startHooks((path, body) => this.#order(path, body));
    this.#closing.push(() => hooks.close());
    const emulator = await startEmulator(hooks.url);
    this.#closing.push(() => emulator.close());
    this.#endpoint = emulator.endpoint;
    this.#control = emulator.control;
  }

  async #order(path: string, { identifier = '', source = '', name = '' }: Record<string, string>): Promise<void> {
    if (path === '/promote') await this.databases.promote(identifier);
    if (path === '/follow') await this.databases.follow(identifier, source);
    if (path === '/rename') this.databases.rename(identifier, name);
    await this.#nameDatabases();
  }

  async #nameDatabases(): Promise<void> {
    for (const region of REGIONS) {
      const instance = this.databases.get(NAMES.databases[region]);
      this.#say(`${databaseHost(region)}:5432`, instance?.port ?? 1);
    }
  }

  #clients(): Clients {
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
    const of = (region: Region) => {
      const settings = { region: AWS_REGION_OF[region], endpoint: this.#endpoint, credentials };
      return {
        dynamo: new DynamoDBClient(settings),
        waf: new WAFV2Client(settings),
        secrets: new SecretsManagerClient(settings),
        route53: new Route53Client(settings),
        rds: new RDSClient(settings),
        sns: new SNSClient(settings),
      };
    };
    return { oregon: of('oregon'), virginia: of('virginia') };
  }

  /** What CloudFormation would make of the templates, as far as the controller and its servers call it. */
  async #populate(clients: Clients): Promise<Record<string, string>> {
    const { dynamo, route53, sns, secrets } = clients.virginia;
    await createAuthorityTable(dynamo, NAMES.authorityTable);
    const zone = await route53.send(new CreateHostedZoneCommand({ Name: 'example.com', CallerReference: '1' }));
    this.zoneId = String(zone.HostedZone?.Id?.split('/').at(-1));
    const check = await route53.send(
      new CreateHealthCheckCommand({
        CallerReference: '1',
        HealthCheckConfig: { Type: 'HTTPS', FullyQualifiedDomainName: regionalName(PUBLIC_NAME, 'oregon') },
      }),
    );
    const topic = await sns.send(new CreateTopicCommand({ Name: 'evergrant-alerts' }));
    this.#serverPassword = 'server-password-for-tests';
    const secret = (name: string, value: object) =>
      new CreateSecretCommand({ Name: name, SecretString: JSON.stringify(value) });
    await secrets.send(
      secret(NAMES.secrets.controller, {
        dbname: 'evergrant',
        username: 'evergrant_controller',
        password: 'controller-password',
      }),
    );
    await clients.oregon.secrets.send(secret(NAMES.secrets.server, { databasePassword: this.#serverPassword }));
    for (const region of REGIONS) {
      for (const name of [NAMES.serveAcl, NAMES.fenceAcl]) {
        const acl = await clients[region].waf.send(
          new CreateWebACLCommand({
            Name: name,
            Scope: 'REGIONAL',
            DefaultAction: { Allow: {} },
            VisibilityConfig: { SampledRequestsEnabled: false, CloudWatchMetricsEnabled: false, MetricName: 'x' },
          }),
        );
        this.#aclArns[`${region} ${name}`] = String(acl.Summary?.ARN);
      }
    }
    return {
      ControllerWitness: String(check.HealthCheck?.Id),
      Alerts: String(topic.TopicArn),
      LicenseDatabaseInstance: 'never',
    };
  }

  zoneId = '';
  readonly #aclArns: Record<string, string> = {};

  async #startDatabases(secrets: SecretsManagerClient): Promise<void> {
    await seedSigningKeys({ secretId: NAMES.secrets.server }, { ...this.#clients().oregon, secrets });
    const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId: NAMES.secrets.server }));
    this.#signingSecret = String(SecretString);
    await this.databases.makePrimary(NAMES.databases.oregon, {
      evergrant_server: this.#serverPassword,
      evergrant_controller: 'controller-password',
    });
    const { oregon, virginia } = this.#clients();
    await oregon.rds.send(
      new CreateDBInstanceCommand({
        DBInstanceIdentifier: NAMES.databases.oregon,
        DBInstanceClass: 'db.m7g.large',
        Engine: 'postgres',
        MasterUsername: 'evergrant_owner',
        MasterUserPassword: 'only-for-tests',
        AllocatedStorage: 20,
        BackupRetentionPeriod: 7,
      }),
    );
    // As CloudFormation makes it: the follower begins as one.
    const { CreateDBInstanceReadReplicaCommand } = await import('@aws-sdk/client-rds');
    await virginia.rds.send(
      new CreateDBInstanceReadReplicaCommand({
        DBInstanceIdentifier: NAMES.databases.virginia,
        SourceDBInstanceIdentifier: `arn:aws:rds:us-west-2:${ACCOUNT}:db:${NAMES.databases.oregon}`,
      }),
    );
    const stands = async (): Promise<boolean> =>
      (await this.model()).databases[NAMES.databases.virginia]?.status === 'available';
    await eventually('the follower stands', stands, { deadlineMs: 60_000, everyMs: 100 });
    await this.#nameDatabases();
  }

  async #startEdges(tls: { cert: string; key: string }): Promise<void> {
    const make = async (region: Region): Promise<LoadBalancerModel> => {
      const fenceBody = this.app.fenceBody(region);
      const balancer = new LoadBalancerModel(tls, { acl: () => this.aclOf(region), fenceBody });
      this.#say(`${regionalName(PUBLIC_NAME, region)}:443`, await balancer.start());
      this.#closing.push(() => balancer.close());
      return balancer;
    };
    this.#balancers = { oregon: await make('oregon'), virginia: await make('virginia') };
    const name = publicName(async () => this.#ports[`${await this.activeRecord()}:443`]);
    this.#say(`${PUBLIC_NAME}:443`, await listening(name));
    this.#closing.push(() => name.close());
  }

  /** The setup's own work, as the stacks' custom resources ask for it. */
  async #setUp(region: Region, clients: SetupClients): Promise<void> {
    const table = NAMES.authorityTable;
    if (region === PRIMARY_REGION) {
      await seedAuthority({ table }, clients);
      await seedPublicRecord({ publicName: PUBLIC_NAME, hostedZoneId: this.zoneId }, clients);
    }
    const edge = {
      loadBalancerArn: loadBalancerArn(region),
      serveAclArn: String(this.#aclArns[`${region} ${NAMES.serveAcl}`]),
      fenceAclArn: String(this.#aclArns[`${region} ${NAMES.fenceAcl}`]),
    };
    const database = {
      databaseHost: databaseHost(region),
      databasePort: '5432',
      databaseSecurityGroupId: 'sg-1',
      databaseKeyArn: 'arn:key',
    };
    await introduce(
      { table, name: region, ...edge, ...database, vpcId: 'vpc-1', databaseRouteTableIds: 'rtb-1' },
      clients,
    );
    await seedAssociation({ table, region, ...edge }, clients);
  }

  async item(pk: string, sk: string): Promise<unknown> {
    const get = new GetItemCommand({ TableName: NAMES.authorityTable, Key: { pk: { S: pk }, sk: { S: sk } } });
    return (await this.#clients().virginia.dynamo.send(get)).Item;
  }
}

function loadBalancerArn(region: Region): string {
  return `arn:aws:elasticloadbalancing:${AWS_REGION_OF[region]}:${ACCOUNT}:loadbalancer/app/evergrant/0123456789abcdef`;
}

function databaseHost(region: Region): string {
  return `${NAMES.databases[region]}.c0ffee.${AWS_REGION_OF[region]}.rds.amazonaws.com`;
}
