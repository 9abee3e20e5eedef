import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  CreateDBInstanceCommand,
  CreateDBInstanceReadReplicaCommand,
  DescribeDBInstancesCommand,
  RDSClient,
} from '@aws-sdk/client-rds';
import {
  ChangeResourceRecordSetsCommand,
  CreateHealthCheckCommand,
  CreateHostedZoneCommand,
  Route53Client,
} from '@aws-sdk/client-route-53';
import { SNSClient } from '@aws-sdk/client-sns';
import { CreateWebACLCommand, WAFV2Client } from '@aws-sdk/client-wafv2';
import { Rds } from '@evergrant/controller/aws/database-service';
import { HealthCheckWitness } from '@evergrant/controller/aws/health-check-witness';
import { PublicRecord } from '@evergrant/controller/aws/public-record';
import { REGION_RESOURCE_FIELDS, RegionResourceRegistry } from '@evergrant/controller/aws/region-resources';
import { AWS_REGION_OF, deploymentNames } from '@evergrant/controller/aws/resource-names';
import { sdkSettings } from '@evergrant/controller/aws/sdk';
import { SnsAlerts } from '@evergrant/controller/aws/sns-alerts';
import { WebAcls } from '@evergrant/controller/aws/web-acls';
import { eventually } from '@evergrant/test-support/eventually';
import { config } from '../../deployment.config';
import type { SetupClients } from '../../lambda/setup/custom-resource';
import { publishRegionResources } from '../../lambda/setup/publish-region-resources';
import { followerSettings } from '../../lib/database/follower-settings';
import { completeFollower } from './support/emulated-account';
import { ACCOUNT, createAuthorityTable, createRegionalRecord, type Emulator, startEmulator } from './support/emulator';
import { startHooks } from './support/machinery';

const NAMES = deploymentNames('evergrant');
const PUBLIC_NAME = 'licenses.example.com';
/** An address without a listener, so that a region's own address does not respond. */
const NOBODY = 'http://127.0.0.1:1';
const LOAD_BALANCER = `arn:aws:elasticloadbalancing:us-west-2:${ACCOUNT}:loadbalancer/app/evergrant/0123456789abcdef`;

let emulator: Emulator;
let hooks: { url: string; close: () => void };
let resources: RegionResourceRegistry;
const orders: string[] = [];

/** The clients of the controller, with another endpoint. */
function settings(awsRegion: string, endpoint = emulator.endpoint) {
  return { ...sdkSettings(awsRegion), endpoint, credentials: { accessKeyId: 'test', secretAccessKey: 'test' } };
}

/** The preparation of a test has no time limit. */
function patient(awsRegion: string) {
  return { region: awsRegion, endpoint: emulator.endpoint, credentials: settings(awsRegion).credentials };
}

beforeEach(async () => {
  orders.length = 0;
  hooks = await startHooks(async (path, { identifier = '' }) => orders.push(`${path} ${identifier}`));
  emulator = await startEmulator(hooks.url);
  const dynamo = new DynamoDBClient(patient('us-east-1'));
  await createAuthorityTable(dynamo, NAMES.authorityTable);
  resources = new RegionResourceRegistry(dynamo, NAMES.authorityTable);
}, 120_000);

afterEach(() => {
  emulator?.close();
  hooks.close();
});

/** The published resources of Oregon that matter here. */
async function introduceOregon(known: Readonly<Record<string, string>>): Promise<void> {
  const said = Object.fromEntries(REGION_RESOURCE_FIELDS.map((name) => [name, known[name] ?? `some-${name}`]));
  const clients = { dynamo: new DynamoDBClient(patient('us-east-1')) } as SetupClients;
  await publishRegionResources({ table: NAMES.authorityTable, name: 'oregon', ...said }, clients);
}

describe('in our model of AWS, the database service', () => {
  let clients: Record<'oregon' | 'virginia', RDSClient>;
  let rds: Rds;

  beforeEach(async () => {
    clients = { oregon: new RDSClient(settings('us-west-2')), virginia: new RDSClient(settings('us-east-1')) };
    const follower = {
      oregon: followerSettings(config, NAMES, 'oregon'),
      virginia: followerSettings(config, NAMES, 'virginia'),
    };
    const nowMs = () => Date.parse('2026-11-22T12:00:00Z');
    rds = new Rds({ clients, resources, names: NAMES, account: ACCOUNT, follower, nowMs });
    await introduceOregon({});
    const create = new CreateDBInstanceCommand({
      DBInstanceIdentifier: NAMES.databases.oregon,
      DBInstanceClass: 'db.m7g.large',
      Engine: 'postgres',
      MasterUsername: 'evergrant_owner',
      MasterUserPassword: 'only-for-tests',
      AllocatedStorage: 20,
      BackupRetentionPeriod: 7,
    });
    await new RDSClient(patient('us-west-2')).send(create);
    const replica = new CreateDBInstanceReadReplicaCommand({
      DBInstanceIdentifier: NAMES.databases.virginia,
      SourceDBInstanceIdentifier: `arn:aws:rds:us-west-2:${ACCOUNT}:db:${NAMES.databases.oregon}`,
    });
    await new RDSClient(patient('us-east-1')).send(replica);
    await become('virginia', 'incomplete');
    await completeFollower(new RDSClient(patient('us-east-1')), NAMES.databases.virginia);
    await become('virginia', 'following');
    orders.length = 0;
  }, 60_000);

  async function become(region: 'oregon' | 'virginia', kind: string): Promise<void> {
    const is = async () => (await rds.view(region)).kind === kind;
    await eventually(`${region} is ${kind}`, is, { deadlineMs: 30_000, everyMs: 50 });
  }

  const identifiers = async (): Promise<(string | undefined)[]> =>
    ((await clients.oregon.send(new DescribeDBInstancesCommand({}))).DBInstances ?? []).map(
      ({ DBInstanceIdentifier: name }) => name,
    );

  it('promotes once, even when the request is repeated', async () => {
    await rds.promote('virginia');
    await rds.promote('virginia');
    expect(await rds.view('virginia')).toEqual({ kind: 'building' });
    await become('virginia', 'running');
    await rds.promote('virginia');
    expect(orders).toEqual(['/promote evergrant-virginia']);
  });

  it('ignores a promotion of a primary database', async () => {
    await rds.promote('oregon');
    expect(orders).toEqual([]);
  });

  it('archives an old database under another name once, and frees its name', async () => {
    await rds.archive('oregon');
    await become('oregon', 'archived');
    await rds.archive('oregon');
    expect(orders).toEqual(['/rename evergrant-oregon']);
    expect(await identifiers()).toEqual(['evergrant-oregon-kept-20261122120000']);
  });

  it('creates a new follower under the old name, unless one exists', async () => {
    await rds.promote('virginia');
    await become('virginia', 'running');
    await rds.archive('oregon');
    await become('oregon', 'archived');
    orders.length = 0;
    // RDS refuses each call until the database is in the state for it. The next cycle repeats it.
    const complete = async (): Promise<boolean> => {
      await rds.follow('oregon').catch(() => undefined);
      return (await rds.view('oregon')).kind === 'following';
    };
    await eventually('Oregon follows', complete, { deadlineMs: 30_000, everyMs: 100 });
    const find = new DescribeDBInstancesCommand({ DBInstanceIdentifier: NAMES.databases.oregon });
    const [found] = (await clients.oregon.send(find)).DBInstances ?? [];
    expect(found).toMatchObject({
      DBParameterGroups: [{ DBParameterGroupName: NAMES.databaseParameters, ParameterApplyStatus: 'in-sync' }],
      BackupRetentionPeriod: config.database.backupRetentionDays,
      PreferredBackupWindow: '08:00-08:30',
    });
    await rds.follow('oregon');
    expect(orders).toEqual(['/follow evergrant-oregon', '/reboot evergrant-oregon']);
    expect((await identifiers()).sort()).toEqual(['evergrant-oregon', 'evergrant-oregon-kept-20261122120000']);
  });

  it.each([
    ['a parameter group', { DBParameterGroupName: NAMES.databaseParameters }],
    ['gp3 without Iops', { StorageType: 'gp3' }],
    ['a parameter without a rule', { Port: 5432 }],
  ])('refuses a new follower with %s', async (_what, given) => {
    const create = new CreateDBInstanceReadReplicaCommand({
      DBInstanceIdentifier: 'another',
      SourceDBInstanceIdentifier: `arn:aws:rds:us-west-2:${ACCOUNT}:db:${NAMES.databases.oregon}`,
      ...given,
    });
    await expect(clients.virginia.send(create)).rejects.toMatchObject({
      name: expect.stringMatching(/^InvalidParameter(Combination|Value)$/),
    });
  });

  it('reports unreachable, and never a missing database, when the service does not respond', async () => {
    emulator.close();
    expect(await rds.view('oregon')).toMatchObject({ kind: 'unreachable' });
    await expect(rds.archive('oregon')).rejects.toMatchObject({ retryable: true });
  });
});

describe('in our model of AWS, a region’s web ACL', () => {
  let acls: WebAcls;
  let known: Record<string, string>;

  beforeEach(async () => {
    const clients = {
      oregon: new WAFV2Client(settings('us-west-2')),
      virginia: new WAFV2Client(settings('us-east-1')),
    };
    known = { loadBalancerArn: LOAD_BALANCER };
    for (const name of ['serve', 'fence']) {
      const create = new CreateWebACLCommand({
        Name: name,
        Scope: 'REGIONAL',
        DefaultAction: { Allow: {} },
        VisibilityConfig: { SampledRequestsEnabled: false, CloudWatchMetricsEnabled: false, MetricName: name },
      });
      known[`${name}AclArn`] = String((await clients.oregon.send(create)).Summary?.ARN);
    }
    const addresses = { oregon: NOBODY, virginia: NOBODY };
    acls = new WebAcls({ clients, resources, addresses, timeoutMs: 1_000 });
  });

  it('is open when none is associated', async () => {
    await introduceOregon(known);
    expect(await acls.acl('oregon')).toEqual({ kind: 'serve' });
  });

  it('is the fence after the region was fenced, and names the other region', async () => {
    await introduceOregon(known);
    await acls.fence('oregon', 'virginia');
    await acls.fence('oregon', 'virginia');
    expect(await acls.acl('oregon')).toEqual({ kind: 'fence', activeRegion: 'virginia' });
    await acls.serve('oregon');
    expect(await acls.acl('oregon')).toEqual({ kind: 'serve' });
  });

  it('never fences a region with its own address', async () => {
    await expect(acls.fence('oregon', 'oregon')).rejects.toThrow('cannot name');
  });

  it('is unreachable when the region is not registered, and when the service does not respond', async () => {
    expect(await acls.acl('oregon')).toMatchObject({ kind: 'unreachable' });
    await introduceOregon(known);
    expect(await acls.acl('oregon')).toEqual({ kind: 'serve' });
    emulator.close();
    expect(await acls.acl('oregon')).toMatchObject({ kind: 'unreachable' });
  });
});

describe('in our model of AWS, the public record', () => {
  let client: Route53Client;
  let hostedZoneId: string;
  let record: PublicRecord;

  beforeEach(async () => {
    client = new Route53Client(settings('us-east-1'));
    const zone = await client.send(new CreateHostedZoneCommand({ Name: 'example.com', CallerReference: '1' }));
    hostedZoneId = String(zone.HostedZone?.Id?.split('/').at(-1));
    for (const name of ['oregon', 'virginia', 'elsewhere']) {
      await createRegionalRecord(client, hostedZoneId, `${name}.${PUBLIC_NAME}`);
    }
    record = new PublicRecord({ client, hostedZoneId, publicName: PUBLIC_NAME, timeoutMs: 1_000 });
  });

  async function set(state: object): Promise<void> {
    await fetch(emulator.control, { method: 'POST', body: JSON.stringify(state) });
  }

  it('has no target before it exists', async () => {
    expect(await record.target()).toMatchObject({ kind: 'unreachable', reason: `there is no record ${PUBLIC_NAME}` });
  });

  it('has moved only after every name server has the change', async () => {
    await set({ changeSeconds: 1 });
    await record.pointTo('virginia');
    expect(await record.target()).toMatchObject({
      kind: 'unreachable',
      reason: expect.stringContaining('not on every'),
    });
    const moved = async () => (await record.target()).kind === 'points_to';
    await eventually('it has moved', moved, { deadlineMs: 10_000, everyMs: 100 });
    expect(await record.target()).toEqual({ kind: 'points_to', region: 'virginia' });
  });

  it('belongs to no region when it has another target', async () => {
    const alias = { HostedZoneId: hostedZoneId, DNSName: `elsewhere.${PUBLIC_NAME}`, EvaluateTargetHealth: false };
    const change = {
      Action: 'UPSERT' as const,
      ResourceRecordSet: { Name: PUBLIC_NAME, Type: 'A' as const, AliasTarget: alias },
    };
    const command = new ChangeResourceRecordSetsCommand({
      HostedZoneId: hostedZoneId,
      ChangeBatch: { Changes: [change] },
    });
    await client.send(command);
    expect(await record.target()).toMatchObject({
      kind: 'unreachable',
      reason: expect.stringContaining('not the name of a region'),
    });
  });

  it('is unknown when the public address does not respond', async () => {
    expect(await record.outside()).toMatchObject({ kind: 'unreachable' });
  });

  describe('and its witness', () => {
    let witness: HealthCheckWitness;
    let nowMs: () => number;

    beforeEach(async () => {
      const check = new CreateHealthCheckCommand({
        CallerReference: '1',
        HealthCheckConfig: { Type: 'HTTPS', FullyQualifiedDomainName: `oregon.${PUBLIC_NAME}` },
      });
      const healthCheckId = String((await client.send(check)).HealthCheck?.Id);
      nowMs = () => Date.now();
      witness = new HealthCheckWitness({ client, healthCheckId, nowMs: () => nowMs() });
    });

    it.each([
      [12, 12, 'up'],
      [3, 12, 'up'],
      [2, 12, 'unknown'],
      [1, 12, 'unknown'],
      [0, 12, 'down'],
      [0, 2, 'unknown'],
    ])('%i of %i checkers reach Oregon: %s', async (witnessHealthy, witnessOf, reading) => {
      await set({ witnessHealthy, witnessOf });
      expect(await witness.view('oregon')).toMatchObject({ reading });
    });

    it('is unknown for old observations, for the other region, and without a response', async () => {
      await set({ witnessHealthy: 0, witnessOf: 12 });
      expect(await witness.view('virginia')).toMatchObject({ reading: 'unknown' });
      nowMs = () => Date.now() + 100_000;
      expect(await witness.view('oregon')).toMatchObject({ reading: 'unknown' });
      emulator.close();
      expect(await witness.view('oregon')).toMatchObject({ reading: 'unknown' });
    });
  });
});

describe('in our model of AWS, an alert', () => {
  it('that cannot be sent fails, and may be sent again', async () => {
    const client = new SNSClient(settings(AWS_REGION_OF.virginia));
    const topicArn = `arn:aws:sns:us-east-1:${ACCOUNT}:never-made`;
    const alerts = new SnsAlerts({ client, topicArn, deployment: 'evergrant', runbookUrl: 'https://wiki.example.com' });
    const alert = { id: '1', code: 'region-down', severity: 'critical', text: 'It is down.', raisedAtMs: 0 } as never;
    await expect(alerts.send(alert)).rejects.toMatchObject({ code: expect.stringContaining('NotFound') });
    emulator.close();
    await expect(alerts.send(alert)).rejects.toMatchObject({ retryable: true });
  });
});
