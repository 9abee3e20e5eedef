import { AwsWorld } from './support/aws-world';
import { FAULTS } from './support/fault-proxy';

let world: AwsWorld;

beforeEach(async () => {
  world = await AwsWorld.start();
  await world.invoke();
}, 180_000);

afterEach(() => world?.close());

async function settled(): Promise<boolean> {
  const { authority, control } = world.stores;
  const [{ record }, { region, opensAtMs }] = await Promise.all([control.read(), authority.read()]);
  return record.operation === undefined && region === 'virginia' && opensAtMs !== undefined;
}

async function oneRegionGrants(): Promise<void> {
  expect(await world.stores.authority.read()).toMatchObject({ epoch: 2, region: 'virginia' });
  expect(await world.aclOf('oregon')).toBe('evergrant-fence');
  expect(await world.aclOf('virginia')).toBe('evergrant-serve');
  expect(await world.activeRecord()).toBe('virginia.licenses.example.com');
  expect(await world.publicStatus()).toMatchObject({ granting: true, region: 'virginia', epoch: 2 });
  const { record } = await world.stores.control.read();
  expect(record.lastOperation).toMatchObject({ kind: 'failover', outcome: 'done' });
  const history = await world.stores.control.history(200);
  expect(history.filter(({ kind }) => kind === 'operation-ended')).toHaveLength(1);
  expect(history.map(({ id }) => id)).toEqual([...history.keys()].map((index) => history.length - index));
}

describe('in our model of AWS, a failover ends in one active region', () => {
  it.each(FAULTS)(
    'when each kind of call, in each phase, first meets: %s',
    async (fault) => {
      const met = new Set<string>();
      let phase = 'watching';
      world.proxy.faultFor = (call) => {
        const place = `${phase} ${call}`;
        if (met.has(place)) return undefined;
        met.add(place);
        return fault;
      };
      await world.killRegion('oregon');
      await world.invokeUntil(
        `Virginia has authority, through ${fault}`,
        async () => {
          phase = (await world.stores.control.read()).record.operation?.phase ?? 'watching';
          return settled();
        },
        { invocationsMax: 60 },
      );
      world.proxy.faultFor = () => undefined;
      // The next cycle completes interrupted alerts and history entries.
      await world.invoke();
      await oneRegionGrants();
      expect(met.size).toBeGreaterThan(8);
    },
    400_000,
  );

  it('when the handler is killed after its first call, its second, its third …', async () => {
    await world.killRegion('oregon');
    await world.invokeUntil('Virginia has authority', settled, {
      invocationsMax: 150,
      killAfterCalls: (n) => n,
    });
    await world.invoke();
    await oneRegionGrants();
  }, 600_000);
});
