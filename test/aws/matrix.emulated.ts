import type { Verdict } from '../../lambda/failover/core/verdicts';
import { pause } from '../../lambda/failover/operator';
import { AwsWorld } from './support/aws-world';

let world: AwsWorld;

beforeAll(async () => {
  world = await AwsWorld.start();
  await world.invoke();
}, 180_000);

afterAll(() => world?.close());

async function standing(): Promise<Verdict | undefined> {
  return (await world.stores.control.read()).record.standing?.verdict;
}

/** Watches long enough for a failover to be confirmed, and some more. */
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

/** The rows before the last follow one another in one world: none of them moves anything. */
describe('in our model of AWS, the failure matrix', () => {
  it('both up: healthy', async () => {
    expect(await standing()).toMatchObject({ kind: 'healthy', standby: 'ready' });
  });

  it('application down, database up: tells people, and does nothing', async () => {
    world.killServers('oregon');
    await watch();
    expect(await standing()).toMatchObject({ kind: 'application-down' });
    expect(world.proxy.calls).toContain('Publish');
    await nothingHasMoved();
    await world.startServers('oregon');
  });

  it('application up, database down: tells people, and does nothing', async () => {
    await world.killDatabase('oregon');
    await watch();
    expect(await standing()).toMatchObject({ kind: 'database-down' });
    await nothingHasMoved();
  });

  it('both down, the witness sees it alive: holds', async () => {
    world.killServers('oregon');
    await watch();
    expect(await standing()).toMatchObject({ kind: 'hold', cause: 'witness-disagrees' });
    await nothingHasMoved();
  });

  it('both down, the witness does not know: holds', async () => {
    await world.set({ witnessOf: 2, witnessHealthy: 0 });
    await watch();
    expect(await standing()).toMatchObject({ kind: 'hold', cause: 'witness-unknown' });
    await nothingHasMoved();
  });

  it('both down, checkers disagree among themselves: holds', async () => {
    await world.set({ witnessOf: 12, witnessHealthy: 1 });
    await watch();
    expect(await standing()).toMatchObject({ kind: 'hold', cause: 'witness-unknown' });
    await nothingHasMoved();
  });

  it('our own password is wrong: unknown, and holds', async () => {
    await world.set({ witnessOf: 12, witnessHealthy: 0 });
    await world.setControllerPassword('wrong');
    // Oregon's database does not answer at all, so it is Virginia's that refuses us: the gate cannot be asked.
    await watch();
    expect((await standing())?.kind).not.toBe('fail-over');
    await nothingHasMoved();
    await world.setControllerPassword('controller-password');
  });

  it('we reach nothing outside: the application is unknown, and holds', async () => {
    world.cutEgress(true);
    await watch(2);
    world.cutEgress(false);
    expect(await standing()).toMatchObject({ kind: 'hold', cause: 'application-unknown' });
    await nothingHasMoved();
  });

  it('both down and confirmed, the automation is paused: a human must decide', async () => {
    const { control } = world.stores;
    const clock = { nowMs: () => Date.now(), newId: () => 'x' };
    await pause({ control, clock, authority: world.stores.authority }, { by: 'test', reason: 'maintenance' });
    await watch();
    expect(await standing()).toMatchObject({ kind: 'withheld', automation: 'paused' });
    await nothingHasMoved();
    // A human takes the decision back into the automation's hands, with the standby as it will be next.
    world.killServers('virginia');
    await world.armAutomation();
  });

  it('both down and confirmed, the standby has no servers: tells people, and asks again', async () => {
    await watch();
    expect(await standing()).toMatchObject({ kind: 'standby-not-ready' });
    await nothingHasMoved();
  });

  it('both down, confirmed, and the standby is ready: fails over', async () => {
    await world.startServers('virginia');
    await world.invokeUntil('Virginia has authority', async () => {
      const { authority, control } = world.stores;
      const [{ region }, { record }] = await Promise.all([authority.read(), control.read()]);
      return region === 'virginia' && record.operation === null;
    });
    expect(await world.publicStatus()).toMatchObject({ granting: true, region: 'virginia' });
  });
});
