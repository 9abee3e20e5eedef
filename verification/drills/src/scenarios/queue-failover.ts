import type { Drill, Scenario } from '../drill';
import { DRILL_LICENSE } from '../license';
import { Waiter } from '../queue-client';
import { awaitFailover, everythingIn, injectFault, settleIn } from './common';

const LINE = { feature: 'line', seats: 2, leaseTtlSeconds: 15, escrow: 1 };
const WAITING = 6;
/** The last place in line is on its way to Virginia when Oregon dies. */
const LINK_DELAY_MS = 200;

function waiterOf(drill: Drill, name: string): Waiter {
  return new Waiter(name, {
    address: drill.world.layout.url('edge'),
    token: drill.world.tokens.client,
    product: DRILL_LICENSE.product,
    feature: LINE.feature,
    record: (exchange) => drill.load.exchanges.push(exchange),
  });
}

/** Comes, and stands in line (or is served) before the next one comes. */
async function join(drill: Drill, waiter: Waiter, state: 'served' | 'waiting'): Promise<void> {
  void waiter.stand();
  await drill.eventually(`${waiter.name} is ${state}`, 20_000, () => waiter.state === state);
}

export const queueFailover: Scenario = {
  name: 'queue-failover',
  summary:
    'six stand in line when the region is lost: they are served in their order, the last place that was lost too',
  license: {
    ...DRILL_LICENSE,
    licenseId: '8f1d3c1e-0a4b-4b59-9b3a-5d2e7c6f4b04',
    entitlements: [...DRILL_LICENSE.entitlements, LINE],
  },
  async run(drill) {
    await settleIn(drill);
    const holders = [1, 2].map((number) => waiterOf(drill, `holder ${number}`));
    for (const holder of holders) await join(drill, holder, 'served');
    const line = Array.from({ length: WAITING }, (_, index) => waiterOf(drill, `in line ${index + 1}`));
    for (const waiter of line.slice(0, -1)) await join(drill, waiter, 'waiting');
    drill.world.changeLink('virginia-oregon/replication', { delayMs: LINK_DELAY_MS });
    for (const waiter of line.slice(-1)) await join(drill, waiter, 'waiting');
    drill.world.changeLink('virginia-oregon/replication', { mode: 'cut' });
    injectFault(drill, 'SIGKILL of everything in Oregon, with the last place in line on its way to Virginia');
    drill.signal('SIGKILL', everythingIn('oregon'));
    await awaitFailover(drill);

    const served: string[] = [];
    for (const holder of holders) await holder.giveBack();
    drill.mark('both holders give their seats back');
    while (served.length < line.length) {
      const next = await drill.eventually('the next one is served', 60_000, () =>
        line.find(({ state }) => state === 'served'),
      );
      served.push(next.name);
      await next.giveBack();
    }
    drill.mark('all have been served');
    const inOrder = served.every((name, index) => name === line[index]?.name);
    drill.promise('they are served in the order in which they came', inOrder, served.join(', '));
  },
};
