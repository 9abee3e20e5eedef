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

/** The thresholds are the published ones, so the test runs at the pace of production. */
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
  // Runs before this process serves any connection, because the synthesis blocks it.
  harmless = changed('harmless', { logRetentionDays: 30, rateLimitPerFiveMinutes: 30_000 });
  // The guard rejects changes of a web ACL while failed over, and the rate limit is part of a web ACL.
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

/** The tests run in order in one account. */
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

  it('uses stubs only for the listed types', () => {
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

  it('starts in Oregon, in epoch 1, with the automation paused', async () => {
    expect(await world.stores.authority.read()).toMatchObject({ epoch: 1, region: 'oregon' });
    expect((await record()).automation).toMatchObject({ state: 'paused', by: 'setup' });
    expect(await world.roles()).toMatchObject({
      record: 'oregon.licenses.example.com',
      acls: ['evergrant-serve', 'evergrant-fence'],
      databases: [[{ follows: false }], [{ follows: true }]],
    });
  });

  it(
    'has a migration task with all resources and permissions that it needs',
    async () => {
      expect(await world.tasks.migrate('oregon')).toContain('0001_granting');
    },
    MINUTES,
  );

  it(
    'has servers with all resources and permissions that they need: Oregon grants, and Virginia names it',
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
    'has a schedule that starts the controller with all resources and permissions that it needs',
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
    'has a guard that permits a deploy',
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
      await eventually('the failover is complete', settled, { deadlineMs: 3 * MINUTES, everyMs: 1_000 });
    },
    16 * MINUTES,
  );

  it(
    'keeps its roles in a deploy with other changes while failed over',
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
    'has a guard that rejects unsafe changes while failed over',
    async () => {
      const { code, output } = await world.guard(unsafe);
      expect(code).toBe(1);
      expect(output).toContain('virginia is active after a failover');
      expect(output).toContain('AWS::RDS::DBInstance');
    },
    2 * MINUTES,
  );

  it.each(FAILBACK_STAGES)(
    'fails back by the command: %s',
    async (stage) => {
      // Oregon's servers connect to a database again and are ready before the authority returns.
      if (stage === 'switchover') await world.startServers('oregon');
      const ran = await world.evergrant('failback', stage, '--reason', 'a drill', '--yes');
      expect({ ...ran, output: ran.code === 0 ? '' : ran.output }).toEqual({ code: 0, output: '' });
    },
    10 * MINUTES,
  );

  it(
    'ends in the initial state, under the old names, and is not changed by one more deploy',
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
    'switches over to Virginia by the command without loss',
    async () => {
      const ran = await world.evergrant('failover', '--reason', 'another drill', '--yes');
      expect({ ...ran, output: ran.code === 0 ? '' : ran.output }).toEqual({ code: 0, output: '' });
      expect(await world.publicStatus()).toMatchObject({ granting: true, region: 'virginia', epoch: 4 });
      expect((await record()).lastOperation?.evidence.carriedOver).toBe('everything');
    },
    10 * MINUTES,
  );

  it(
    'is updated in Virginia while Oregon is lost, without a change of roles',
    async () => {
      const before = await world.roles();
      await world.lose('oregon');
      const ran = await world.deployAlone(ofLogs, STACKS.virginia);
      const inOregon = await world.cdk('deploy', '--exclusively', STACKS.oregon, '--app', ofLogs, ...QUIETLY);
      await world.lose();
      expect({ ...ran, output: ran.code === 0 ? '' : ran.output }).toEqual({ code: 0, output: '' });
      expect(deployed(ran)).toEqual([STACKS.virginia]);
      expect(await world.roles()).toEqual(before);
      // Check that Oregon is lost.
      expect(inOregon.code).not.toBe(0);
    },
    10 * MINUTES,
  );

  it(
    'is updated in Oregon while Virginia is lost, without a change of roles',
    async () => {
      const before = await world.roles();
      await world.lose('virginia');
      // The guard reads the controllers' record in Virginia, so it cannot run.
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

  it('never needs a permission that it does not have', async () => {
    expect(await world.refused()).toEqual([]);
  });
});
