import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FAILBACK_STAGES } from '@evergrant/controller/core/operations';
import { eventually } from '@evergrant/test-support/eventually';
import { App } from 'aws-cdk-lib';
import { config } from '../../deployment.config';
import { checkedConfig, type DeploymentConfig } from '../../lib/config/deployment-config';
import { addDeployment, STACKS } from '../../lib/stacks/deployment';
import { CloudWorld, QUIETLY, type Ran, stubbedTypes } from './support/cloud-world';

/** The thresholds are the shipped ones, so this runs at the pace of production. */
const MINUTES = 60_000;
const ORDER = [
  STACKS.authority,
  STACKS.oregon,
  STACKS.virginia,
  STACKS.virginiaInterconnect,
  STACKS.oregonInterconnect,
];

let world: CloudWorld;
let folder: string;
let harmless: string;
let ofLogs: string;
let unsafe: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'evergrant-changed-'));
  // Before anything is served from this process: synthesizing leaves it no time for anything else.
  harmless = changed('harmless', { logRetentionDays: 30, rateLimitPerFiveMinutes: 30_000 });
  // The guard lets nobody touch a web ACL while failed over, and so not the rate limit either.
  ofLogs = changed('of-logs', { logRetentionDays: 30 });
  unsafe = changed('unsafe', { database: { ...config.database, instanceClass: 'db.m7g.xlarge' } });
  world = await CloudWorld.start();
}, 10 * MINUTES);

afterAll(async () => {
  await world?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The app with another configuration, synthesized. */
function changed(name: string, change: Partial<DeploymentConfig>): string {
  const outdir = join(folder, name);
  const app = new App({ outdir });
  addDeployment(app, checkedConfig({ ...config, ...change }));
  app.synth();
  return outdir;
}

function deployed({ output }: Ran): string[] {
  return [...output.matchAll(/✅ {2}(\S+)( \(no changes\))?/g)].map(([, name, same]) => `${name}${same ?? ''}`);
}

async function record() {
  return (await world.stores.control.read()).record;
}

/** These follow one another in one account. */
describe('in our model of AWS, a deployment', () => {
  it(
    'is deployed by one `cdk deploy --all` into an empty account, in the order that it needs',
    async () => {
      const ran = await world.deploy(world.app.folder);
      expect({ ...ran, output: ran.code === 0 ? '' : ran.output }).toEqual({ code: 0, output: '' });
      expect(deployed(ran)).toEqual(ORDER);
    },
    10 * MINUTES,
  );

  it('leaves to stubs what is listed, and nothing else', () => {
    const used = new Set(world.app.types());
    expect(stubbedTypes()).toMatchInlineSnapshot(`
     [
       "AWS::ApplicationAutoScaling::ScalableTarget",
       "AWS::ApplicationAutoScaling::ScalingPolicy",
       "AWS::EC2::EIP",
       "AWS::EC2::FlowLog",
       "AWS::EC2::NatGateway",
       "AWS::EC2::SecurityGroupEgress",
       "AWS::EC2::SecurityGroupIngress",
       "AWS::EC2::VPCPeeringConnection",
       "AWS::Route53::HealthCheck",
       "AWS::SSM::Document",
       "AWS::WAFv2::LoggingConfiguration",
     ]
    `);
    expect(stubbedTypes().filter((type) => !used.has(type))).toEqual([]);
  });

  it('begins in Oregon, in epoch 1, with the automation paused', async () => {
    expect(await world.stores.authority.read()).toMatchObject({ epoch: 1, region: 'oregon' });
    expect((await record()).automation).toMatchObject({ state: 'paused', by: 'setup' });
    expect(await world.roles()).toMatchObject({
      record: 'oregon.licenses.example.com',
      acls: ['evergrant-serve', 'evergrant-fence'],
      databases: [[{ follows: false }], [{ follows: true }]],
    });
  });

  it(
    'has a migration task that finds all it needs',
    async () => {
      expect(await world.tasks.migrate('oregon')).toContain('0001_granting');
    },
    MINUTES,
  );

  it(
    'has servers that find all they need: Oregon grants, and Virginia says where to go',
    async () => {
      await world.startServers('oregon');
      await world.startServers('virginia');
      const granting = async () => (await world.publicStatus()).granting === true;
      await eventually('Oregon grants', granting, { deadlineMs: MINUTES, everyMs: 500 });
      expect(await world.publicStatus()).toMatchObject({ region: 'oregon', epoch: 1 });
    },
    3 * MINUTES,
  );

  it(
    'has a schedule that starts the controller, which finds all it needs',
    async () => {
      const watched = async () => (await record()).verdictState?.verdict;
      const verdict = await eventually('a cycle', watched, { deadlineMs: 3 * MINUTES, everyMs: 1_000 });
      expect(verdict).toMatchObject({ kind: 'healthy', standby: 'ready' });
    },
    4 * MINUTES,
  );

  it(
    'is not changed by a second deploy',
    async () => {
      const ran = await world.deploy(world.app.folder);
      expect(deployed(ran)).toEqual(ORDER.map((name) => `${name} (no changes)`));
    },
    5 * MINUTES,
  );

  it(
    'lets the guard have a look, which finds nothing against a deploy',
    async () => {
      expect(await world.guard(world.app.folder)).toMatchObject({
        code: 0,
        output: expect.stringContaining('deploy: '),
      });
    },
    2 * MINUTES,
  );

  it(
    'is armed by the command, and fails over automatically when Oregon dies',
    async () => {
      expect(await world.evergrant('arm', '--reason', 'a drill')).toMatchObject({ code: 0 });
      await world.killOregon();
      const failedOver = async () => (await world.publicStatus()).region === 'virginia';
      await eventually('Virginia grants', failedOver, { deadlineMs: 12 * MINUTES, everyMs: 2_000 });
      expect(await world.publicStatus()).toMatchObject({ granting: true, epoch: 2 });
      const settled = async () => (await record()).lastOperation?.outcome === 'done';
      await eventually('it has settled', settled, { deadlineMs: 3 * MINUTES, everyMs: 1_000 });
    },
    16 * MINUTES,
  );

  it(
    'is not changed by a deploy while failed over, whatever else that changes',
    async () => {
      const before = await world.roles();
      expect(before).toMatchObject({
        record: 'virginia.licenses.example.com',
        acls: ['evergrant-fence', 'evergrant-serve'],
        databases: ['dead', [{ follows: false }]],
        authority: { epoch: 2, region: 'virginia' },
      });
      expect(deployed(await world.deploy(world.app.folder))).toEqual(ORDER.map((name) => `${name} (no changes)`));
      const ran = await world.deploy(harmless);
      expect(deployed(ran)).toEqual(ORDER);
      expect(await world.roles()).toEqual(before);
      expect((await record()).automation).toMatchObject({ state: 'disarmed' });
    },
    15 * MINUTES,
  );

  it(
    'has a guard that refuses what would harm while failed over',
    async () => {
      const { code, output } = await world.guard(unsafe);
      expect(code).toBe(1);
      expect(output).toContain('virginia is active after a failover');
      expect(output).toContain('AWS::RDS::DBInstance');
    },
    2 * MINUTES,
  );

  it.each(FAILBACK_STAGES)(
    'comes back by the terminal: %s',
    async (stage) => {
      // Oregon's servers find a database again, and are there when authority comes back.
      if (stage === 'switchover') await world.startServers('oregon');
      const ran = await world.evergrant('failback', stage, '--reason', 'a drill', '--yes');
      expect({ ...ran, output: ran.code === 0 ? '' : ran.output }).toEqual({ code: 0, output: '' });
    },
    10 * MINUTES,
  );

  it(
    'stands as in the beginning, under the old names, and is not changed by one more deploy',
    async () => {
      const before = await world.roles();
      expect(before).toMatchObject({
        record: 'oregon.licenses.example.com',
        acls: ['evergrant-serve', 'evergrant-fence'],
        databases: [[{ follows: false }], [{ follows: true }]],
        authority: { epoch: 3, region: 'oregon' },
      });
      expect(deployed(await world.deploy(world.app.folder)).length).toBe(ORDER.length);
      expect(await world.roles()).toEqual(before);
    },
    10 * MINUTES,
  );

  it(
    'hands over to Virginia when a terminal says so, and loses nothing',
    async () => {
      const ran = await world.evergrant('failover', '--reason', 'another drill', '--yes');
      expect({ ...ran, output: ran.code === 0 ? '' : ran.output }).toEqual({ code: 0, output: '' });
      expect(await world.publicStatus()).toMatchObject({ granting: true, region: 'virginia', epoch: 4 });
      expect((await record()).lastOperation?.evidence.carriedOver).toBe('everything');
    },
    10 * MINUTES,
  );

  it(
    'is brought up to date in Virginia while Oregon answers no call, and moves nothing',
    async () => {
      const before = await world.roles();
      await world.lose('oregon');
      const ran = await world.deployAlone(ofLogs, STACKS.virginia);
      const inOregon = await world.cdk('deploy', '--exclusively', STACKS.oregon, '--app', ofLogs, ...QUIETLY);
      await world.lose();
      expect({ ...ran, output: ran.code === 0 ? '' : ran.output }).toEqual({ code: 0, output: '' });
      expect(deployed(ran)).toEqual([STACKS.virginia]);
      expect(await world.roles()).toEqual(before);
      // It is lost indeed.
      expect(inOregon.code).not.toBe(0);
    },
    10 * MINUTES,
  );

  it(
    'is brought up to date in Oregon while Virginia answers no call, and moves nothing',
    async () => {
      const before = await world.roles();
      await world.lose('virginia');
      // The guard keeps the controllers' record in Virginia: whether to deploy cannot be asked of it.
      const guarded = await world.guard(harmless, STACKS.oregon);
      const ran = await world.cdk('deploy', '--exclusively', STACKS.oregon, '--app', harmless, ...QUIETLY);
      await world.lose();
      expect(guarded).toMatchObject({ code: 1, output: expect.stringContaining('do not') });
      expect({ ...ran, output: ran.code === 0 ? '' : ran.output }).toEqual({ code: 0, output: '' });
      expect(deployed(ran)).toEqual([STACKS.oregon]);
      expect(await world.roles()).toEqual(before);
    },
    10 * MINUTES,
  );

  it('was never in need of a right that it does not have', async () => {
    expect(await world.refused()).toEqual([]);
  });
});
