import { FAILBACK_STAGES } from '@evergrant/controller/core/operations';
import { eventually } from '@evergrant/test-support/eventually';
import { AwsWorld } from './support/aws-world';

let world: AwsWorld;

beforeAll(async () => {
  world = await AwsWorld.start();
}, 180_000);

afterAll(() => world?.close());

const by = { by: 'test', reason: 'a test' };

async function runOperation(event: object): Promise<void> {
  const ordered = await world.invoke(event);
  if (ordered?.requestId === null || ordered?.requestId === undefined) throw new Error(JSON.stringify(ordered));
  const ask = { ask: ordered.requestId };
  await world.invokeUntil(JSON.stringify(event), async () => {
    const { record } = await world.stores.control.read();
    return record.request === undefined && record.operation === undefined;
  });
  expect(await world.invoke(ask)).toMatchObject({ state: 'done' });
}

describe('in our model of AWS, orders to the Lambda', () => {
  it('fail over manually, without a loss', async () => {
    await world.invoke();
    await runOperation({ order: 'failover', ...by });
    const { record } = await world.stores.control.read();
    expect(record.lastOperation?.evidence.carriedOver).toBe('everything');
    expect(await world.activeRecord()).toBe('virginia.licenses.example.com');
    expect(await world.publicStatus()).toMatchObject({ granting: true, region: 'virginia', epoch: 2 });
  });

  it('refuse a stage out of order, with the reason', async () => {
    const ordered = await world.invoke({ order: 'failback', stage: 'switchover', ...by });
    await world.invoke();
    expect(await world.invoke({ ask: ordered?.requestId ?? '' })).toMatchObject({
      state: 'refused',
      reason: 'confirm-fence comes first',
    });
  });

  it('refuse an unknown request', async () => {
    expect(await world.invoke({ order: 'failback', stage: 'everything', ...by })).toMatchObject({ state: 'refused' });
  });

  it.each(FAILBACK_STAGES)('come back: %s', async (stage) => {
    // The rename disconnected Oregon's servers from their database. They connect to the new one under the old name.
    await runOperation({ order: 'failback', stage, ...by });
  });

  it('record what the command shows', async () => {
    const { authority, control } = JSON.parse(await world.evergrant('--target', 'aws', '--json', 'status'));
    expect(authority).toMatchObject({ epoch: 3, region: 'oregon' });
    expect(control.automation).toMatchObject({ state: 'armed', by: 'test' });
    expect(await world.evergrant('--target', 'aws', 'status')).toContain('OREGON HAS AUTHORITY');
    expect(await world.evergrant('--target', 'aws', 'pause', '--reason', 'maintenance')).toContain('paused');
    expect(await world.evergrant('--target', 'aws', 'arm', '--reason', 'done')).toContain('arm');
    expect(await world.evergrant('--target', 'aws', '--json', 'history', '--limit', '5')).toContain('maintenance');
  });

  it('create a new follower for a lost one during normal operation, repeatedly', async () => {
    const followers = async (): Promise<string[]> => Object.keys((await world.model()).databases).sort();
    const before = await followers();
    await runOperation({ order: 'failback', stage: 'restore-follower', ...by });
    expect(await followers()).toEqual(before);
    // The WAL that it needs is deleted, but RDS still reports an available replica.
    const lost = world.databases.of('evergrant-virginia');
    await lost.query("alter system set primary_conninfo = ''");
    await lost.query('select pg_reload_conf()');
    await world.databases.of('evergrant-oregon').query('create table filler as select generate_series(1, 100000)');
    await runOperation({ order: 'failback', stage: 'restore-follower', ...by });
    expect((await followers()).length).toBe(before.length + 1);
    const { record } = await world.stores.control.read();
    expect(record.automation.state).toBe('armed');
    expect((await world.stores.authority.read()).epoch).toBe(3);
  });

  it('end with every resource under its original name', async () => {
    const { authority, control } = world.stores;
    expect(await authority.read()).toMatchObject({ epoch: 3, region: 'oregon' });
    expect((await control.read()).record).toMatchObject({ automation: { state: 'armed' }, pendingFences: [] });
    const { databases } = await world.model();
    expect(databases['evergrant-oregon']).toEqual({ status: 'available', replica: false });
    expect(databases['evergrant-virginia']).toEqual({ status: 'available', replica: true });
    expect(Object.keys(databases).filter((name) => name.includes('-kept-'))).toHaveLength(3);
    expect(await world.aclOf('oregon')).toBe('evergrant-serve');
    expect(await world.aclOf('virginia')).toBe('evergrant-fence');
    const granting = async () => (await world.publicStatus()).granting === true;
    await eventually('Oregon grants', granting, { deadlineMs: 30_000, everyMs: 200 });
    expect(await world.publicStatus()).toMatchObject({ region: 'oregon', epoch: 3 });
    const [row] = await world.databases
      .of('evergrant-virginia')
      .query<{ r: boolean }>('select pg_is_in_recovery() as r');
    expect(row?.r).toBe(true);
  });
});
