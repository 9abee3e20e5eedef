import { FAILBACK_STAGES } from '@evergrant/controller/core/operations';
import { eventually } from '@evergrant/test-support/eventually';
import { AwsWorld } from './support/aws-world';
import { FAULTS } from './support/fault-proxy';

/** One deployment fails over and back, once for each fault. */
let world: AwsWorld;
let trips = 0;

beforeAll(async () => {
  world = await AwsWorld.start();
  await world.invoke();
}, 180_000);

afterAll(() => world?.close());

const by = { by: 'test', reason: 'a test' };

interface Invocations {
  readonly invocationsMax: number;
  readonly killAfterCalls?: (n: number) => number;
  /** Called with the progress before each poll. */
  readonly phase?: (phase: string) => void;
}

/** Repeats a request that is refused because a region is not ready yet. */
const ORDERS_MAX = 5;

/** Sends a request without faults, and invokes the controller until it is done. */
async function runOperation(order: object, { invocationsMax, killAfterCalls, phase }: Invocations): Promise<void> {
  const how = killAfterCalls === undefined ? { invocationsMax } : { invocationsMax, killAfterCalls };
  const ended = async () => {
    const { record } = await world.stores.control.read();
    phase?.(record.operation?.phase ?? 'before');
    return record.request === undefined && record.operation === undefined;
  };
  const refusals: string[] = [];
  while (refusals.length < ORDERS_MAX) {
    await place(order);
    await world.invokeUntil(JSON.stringify(order), ended, how);
    const { lastAnswer } = (await world.stores.control.read()).record;
    if (lastAnswer?.outcome !== 'refused') return;
    refusals.push(lastAnswer.reason);
  }
  throw new Error(`${JSON.stringify(order)} is refused:\n${refusals.join('\n')}`);
}

async function place(order: object): Promise<void> {
  const { faultFor } = world.proxy;
  world.proxy.faultFor = () => undefined;
  const ordered = await world.invoke(order);
  world.proxy.faultFor = faultFor;
  if (ordered?.requestId === null || ordered?.requestId === undefined) throw new Error(JSON.stringify(ordered));
}

async function there(): Promise<void> {
  await runOperation({ order: 'failover', ...by }, { invocationsMax: 30 });
  trips += 1;
  expect(await world.stores.authority.read()).toMatchObject({ epoch: 2 * trips, region: 'virginia' });
}

/** Only Oregon grants, Virginia follows, no fence is pending, and every stage ended once. */
async function isBack(): Promise<void> {
  // The next cycle completes interrupted alerts and history entries.
  await world.invoke();
  const { authority, control } = world.stores;
  expect(await authority.read()).toMatchObject({ epoch: 2 * trips + 1, region: 'oregon' });
  const { record } = await control.read();
  expect(record).toMatchObject({ automation: { state: 'armed' }, pendingFences: [], operation: undefined });
  expect(await world.aclOf('oregon')).toBe('evergrant-serve');
  expect(await world.aclOf('virginia')).toBe('evergrant-fence');
  expect(await world.activeRecord()).toBe('oregon.licenses.example.com');
  // The servers detect the change when their authority lease expires, which is short in this test.
  const granting = async () => (await world.publicStatus()).granting === true;
  await eventually('Oregon grants', granting, { deadlineMs: 30_000, everyMs: 200 });
  expect(await world.publicStatus()).toMatchObject({ region: 'oregon', epoch: 2 * trips + 1 });
  const { databases } = await world.model();
  expect(databases['evergrant-oregon']).toEqual({ status: 'available', replica: false });
  expect(databases['evergrant-virginia']).toEqual({ status: 'available', replica: true });
  const history = await control.history(1_000);
  const ended = history.filter(({ kind }) => kind === 'operation-ended');
  expect(ended).toHaveLength(trips * (1 + FAILBACK_STAGES.length));
  expect(history.map(({ id }) => id)).toEqual([...history.keys()].map((index) => history.length - index));
}

describe('in our model of AWS, a failback ends in Oregon', () => {
  it.each(FAULTS)(
    'when each kind of call, in each phase of each stage, first meets: %s',
    async (fault) => {
      await there();
      const met = new Set<string>();
      let phase = 'before';
      for (const stage of FAILBACK_STAGES) {
        world.proxy.faultFor = (call) => {
          const place = `${stage} ${phase} ${call}`;
          if (met.has(place)) return undefined;
          met.add(place);
          return fault;
        };
        const told = (now: string): void => {
          phase = now;
        };
        await runOperation({ order: 'failback', stage, ...by }, { invocationsMax: 60, phase: told });
      }
      world.proxy.faultFor = () => undefined;
      await isBack();
      expect(met.size).toBeGreaterThan(8 * FAILBACK_STAGES.length);
    },
    1_200_000,
  );

  it('when the handler is killed after its first call, its second, its third … in every stage', async () => {
    await there();
    for (const stage of FAILBACK_STAGES) {
      await runOperation({ order: 'failback', stage, ...by }, { invocationsMax: 150, killAfterCalls: (n) => n });
    }
    await isBack();
  }, 1_800_000);
});
