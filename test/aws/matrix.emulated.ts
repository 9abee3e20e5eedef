import type { HoldCause, Verdict } from '@evergrant/controller/core/verdicts';
import { pause } from '@evergrant/controller/operator-commands';
import { eventually } from '@evergrant/test-support/eventually';
import { AwsWorld } from './support/aws-world';

let world: AwsWorld;

async function begin(): Promise<void> {
  world = await AwsWorld.start();
  await world.invoke();
}

const end = (): Promise<void> | undefined => world?.close();

async function currentVerdict(): Promise<Verdict | undefined> {
  return (await world.stores.control.read()).record.verdictState?.verdict;
}

/** Watches longer than a failover needs to be confirmed. */
async function watch(invocations = 3): Promise<void> {
  for (let n = 0; n < invocations; n += 1) await world.invoke();
}

async function nothingHasMoved(): Promise<void> {
  expect(await world.stores.authority.read()).toMatchObject({ epoch: 1, region: 'oregon' });
  expect(await world.aclOf('oregon')).toBe('evergrant-serve');
  expect(await world.activeRecord()).toBe('oregon.licenses.example.com');
  for (const call of ['PromoteReadReplica', 'AssociateWebACL', 'POST /2013-04-01/hostedzone/ID/rrset/']) {
    expect(world.proxy.calls).not.toContain(call);
  }
}

/** All rows except the last run in one deployment, because none of them changes the active region. */
describe('in our model of AWS, the failure matrix', () => {
  beforeAll(begin, 180_000);
  afterAll(end);

  it('both up: healthy', async () => {
    expect(await currentVerdict()).toMatchObject({ kind: 'healthy', standby: 'ready' });
  });

  it('application down, database up: raises an alert and takes no action', async () => {
    world.killServers('oregon');
    await watch();
    expect(await currentVerdict()).toMatchObject({ kind: 'application_down' });
    expect(world.proxy.calls).toContain('Publish');
    await nothingHasMoved();
    await world.startServers('oregon');
  });

  it('application up, database down: raises an alert and takes no action', async () => {
    await world.killDatabase('oregon');
    await watch();
    expect(await currentVerdict()).toMatchObject({ kind: 'database_down' });
    await nothingHasMoved();
  });

  it('both down, the witness reports up: holds', async () => {
    world.killServers('oregon');
    await watch();
    expect(await currentVerdict()).toMatchObject({ kind: 'hold', cause: 'witness_disagrees' });
    await nothingHasMoved();
  });

  it('both down, the witness is unknown: holds', async () => {
    await world.set({ witnessOf: 2, witnessHealthy: 0 });
    await watch();
    expect(await currentVerdict()).toMatchObject({ kind: 'hold', cause: 'witness_unknown' });
    await nothingHasMoved();
  });

  it('both down, the health checkers disagree: holds', async () => {
    await world.set({ witnessOf: 12, witnessHealthy: 1 });
    await watch();
    expect(await currentVerdict()).toMatchObject({ kind: 'hold', cause: 'witness_unknown' });
    await nothingHasMoved();
  });

  it('both down, Virginia refuses the password of the controller: raises an alert that the standby is unknown', async () => {
    await world.set({ witnessOf: 12, witnessHealthy: 0 });
    await world.setControllerPassword('wrong');
    await watch();
    expect(await currentVerdict()).toMatchObject({
      kind: 'standby_not_ready',
      reason: expect.stringContaining('password'),
    });
    await nothingHasMoved();
    await world.setControllerPassword('controller-password');
  });

  it('the controller has no egress: the application is unknown, and the controller holds', async () => {
    world.cutEgress(true);
    await watch(2);
    world.cutEgress(false);
    expect(await currentVerdict()).toMatchObject({ kind: 'hold', cause: 'application_unknown' });
    await nothingHasMoved();
  });

  it('both down and confirmed, the automation is paused: waits for a human decision', async () => {
    const { control } = world.stores;
    const clock = { nowMs: () => Date.now(), newId: () => 'x' };
    await pause({ control, clock, authority: world.stores.authority }, { by: 'test', reason: 'maintenance' });
    await watch();
    expect(await currentVerdict()).toMatchObject({ kind: 'withheld', automation: 'paused' });
    await nothingHasMoved();
    // A human arms the automation again, with the standby of the next row.
    world.killServers('virginia');
    await world.armAutomation();
  });

  it('both down and confirmed, the standby has no servers: raises an alert and checks again', async () => {
    await watch();
    expect(await currentVerdict()).toMatchObject({ kind: 'standby_not_ready' });
    await nothingHasMoved();
  });

  it('both down, confirmed, and the standby is ready: fails over', async () => {
    await world.startServers('virginia');
    await world.invokeUntil('Virginia has authority', async () => {
      const { authority, control } = world.stores;
      const [{ region }, { record }] = await Promise.all([authority.read(), control.read()]);
      return region === 'virginia' && record.operation === undefined;
    });
    expect(await world.publicStatus()).toMatchObject({ granting: true, region: 'virginia' });
  });
});

/** Oregon's database is up all the time. Only the controller cannot reach it. */
describe('in our model of AWS, evidence of others about a region that the controller cannot reach', () => {
  beforeAll(begin, 180_000);
  afterAll(end);

  /** Watches until the verdict is a hold with this cause. No operation may start before. */
  async function holdsBecause(cause: HoldCause): Promise<void> {
    await world.invokeUntil(`it holds: ${cause}`, async () => {
      const verdict = await currentVerdict();
      return verdict?.kind === 'hold' && verdict.cause === cause;
    });
    await nothingHasMoved();
  }

  /** Silences the follower's connection to its primary without a disconnect. */
  async function deafFollower(work: () => Promise<void>): Promise<void> {
    const [receiver] = await world.database('virginia').query<{ pid: number }>('select pid from pg_stat_wal_receiver');
    if (receiver === undefined) throw new Error('the follower has no receiver');
    process.kill(receiver.pid, 'SIGSTOP');
    await work().finally(() => process.kill(receiver.pid, 'SIGCONT'));
  }

  /** The controller's permission to read the follower's connection state. Grants replicate like every other change. */
  async function rightsOnFollower(order: 'grant' | 'revoke'): Promise<void> {
    const toOrFrom = order === 'grant' ? 'to' : 'from';
    // Only the grantor can revoke it. As on RDS, the owner granted it.
    const sql = `${order} pg_monitor ${toOrFrom} evergrant_controller granted by evergrant_owner`;
    await world.database('oregon').query(sql);
    await eventually('the follower knows', async () => {
      const [row] = await world
        .database('virginia')
        .query<{ may: boolean }>(`select pg_has_role('evergrant_controller', 'pg_monitor', 'usage') as may`);
      return row?.may === (order === 'grant');
    });
  }

  it('application down, the password of the controller is wrong: the database is unknown, and the controller holds', async () => {
    world.killServers('oregon');
    await world.setControllerPassword('wrong');
    await holdsBecause('database_unknown');
    await world.setControllerPassword('controller-password');
    await world.startServers('oregon');
  });

  it('both down for controller and witness, the follower streams from its primary: holds', async () => {
    world.cutOff('oregon', true);
    await world.set({ witnessHealthy: 0 });
    await holdsBecause('follower_hears_primary');
  });

  it('both down for controller and witness, the follower is silent, the authority is renewed: holds', async () => {
    await deafFollower(() => holdsBecause('authority_renewed'));
  });

  it('both down, the authority table does not respond, so renewals are unknown: holds', async () => {
    world.killServers('oregon');
    world.proxy.faultFor = (call) => (call === 'GetItem' ? 'error' : undefined);
    for (let n = 0; n < 3; n += 1) await expect(world.invoke()).rejects.toThrow('"name":"OperatingError"');
    world.proxy.faultFor = () => undefined;
    await nothingHasMoved();
  });

  it('both down, no renewals, the connection state of the follower is not readable: holds', async () => {
    await rightsOnFollower('revoke');
    await holdsBecause('follower_unknown');
    await watch();
    expect(await currentVerdict()).toMatchObject({ kind: 'hold', cause: 'follower_unknown' });
    await nothingHasMoved();
    await rightsOnFollower('grant');
  });

  it('both down, and the follower is silent too: fails over', async () => {
    await world.killDatabase('oregon');
    await world.invokeUntil(
      'Virginia has authority',
      async () => (await world.stores.authority.read()).region === 'virginia',
    );
  });
});
