import { AwsWorld } from './support/aws-world';

let world: AwsWorld;

beforeEach(async () => {
  world = await AwsWorld.start();
}, 180_000);

afterEach(() => world?.close());

async function verdict(): Promise<string | undefined> {
  const { record } = await world.stores.control.read();
  return record.verdictState?.verdict.kind;
}

async function settled(): Promise<boolean> {
  const { authority, control } = world.stores;
  const [{ record }, { region, opensAtMs }] = await Promise.all([control.read(), authority.read()]);
  return record.operation === undefined && region === 'virginia' && opensAtMs !== undefined;
}

describe('in our model of AWS, the bundled handler', () => {
  it('fails over when application and database are down, and promotes the real follower', async () => {
    await world.invoke();
    expect(await verdict()).toBe('healthy');
    await world.killRegion('oregon');
    await world.invokeUntil('Virginia has authority and no operation is in progress', settled);

    expect(await world.databases.of('evergrant-virginia').query('select pg_is_in_recovery() as r')).toEqual([
      { r: false },
    ]);
    expect(await world.aclOf('oregon')).toBe('evergrant-fence');
    expect(await world.aclOf('virginia')).toBe('evergrant-serve');
    expect(await world.activeRecord()).toBe('virginia.licenses.example.com');
    expect(await world.publicStatus()).toMatchObject({ granting: true, region: 'virginia', epoch: 2 });
    const { record } = await world.stores.control.read();
    expect(record).toMatchObject({ automation: { state: 'disarmed' }, pendingFences: [], unsentAlerts: [] });
    expect(record.lastOperation).toMatchObject({ kind: 'failover', outcome: 'done' });
    expect(world.proxy.calls.filter((call) => call === 'PromoteReadReplica')).toHaveLength(1);
    const history = await world.stores.control.history(100);
    expect(history.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['operation-started', 'operation-ended', 'phase', 'alert']),
    );
    expect(new Set(history.map(({ id }) => id)).size).toBe(history.length);
  });
});
