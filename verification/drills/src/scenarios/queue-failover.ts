import type { Drill, DrillScenario } from '../drill';
import { DRILL_LICENSE } from '../license';
import { QueueClient } from '../queue-client';
import { awaitFailover, awaitLeases, everythingIn, injectFault } from './common';

const QUEUED_POOL = { feature: 'line', seats: 2, leaseTtlSeconds: 15, escrow: 1 };
const WAITING = 6;
/** The last queue place is in flight to Virginia when Oregon dies. */
const LINK_DELAY_MS = 200;

function queueClient(drill: Drill, name: string): QueueClient {
  return new QueueClient(name, {
    address: drill.world.layout.url('edge'),
    token: drill.world.tokens.client,
    product: DRILL_LICENSE.product,
    feature: QUEUED_POOL.feature,
    record: (exchange) => drill.traffic.exchanges.push(exchange),
  });
}

/** Queues a client and waits until it is served or has its place. */
async function join(drill: Drill, client: QueueClient, state: 'served' | 'waiting'): Promise<void> {
  void client.waitForSeat();
  await drill.eventually(`${client.name} is ${state}`, 20_000, () => client.state === state);
}

export const queueFailover: DrillScenario = {
  name: 'queue-failover',
  summary:
    'six clients are queued when the region is lost: they are served in order, including the place that was lost',
  license: {
    ...DRILL_LICENSE,
    licenseId: '8f1d3c1e-0a4b-4b59-9b3a-5d2e7c6f4b04',
    entitlements: [...DRILL_LICENSE.entitlements, QUEUED_POOL],
  },
  async run(drill) {
    await awaitLeases(drill);
    const holders = [1, 2].map((number) => queueClient(drill, `holder ${number}`));
    for (const holder of holders) await join(drill, holder, 'served');
    const queue = Array.from({ length: WAITING }, (_, index) => queueClient(drill, `queued ${index + 1}`));
    for (const client of queue.slice(0, -1)) await join(drill, client, 'waiting');
    drill.world.changeLink('virginia-oregon/replication', { delayMs: LINK_DELAY_MS });
    for (const client of queue.slice(-1)) await join(drill, client, 'waiting');
    drill.world.changeLink('virginia-oregon/replication', { mode: 'cut' });
    injectFault(drill, 'SIGKILL of everything in Oregon, with the last queue place in flight to Virginia');
    drill.signal('SIGKILL', everythingIn('oregon'));
    await awaitFailover(drill);

    const served: string[] = [];
    for (const holder of holders) await holder.releaseSeat();
    drill.mark('both holders release their seats');
    while (served.length < queue.length) {
      const next = await drill.eventually('the next client is served', 60_000, () =>
        queue.find(({ state }) => state === 'served'),
      );
      served.push(next.name);
      await next.releaseSeat();
    }
    drill.mark('all clients were served');
    const inOrder = served.every((name, index) => name === queue[index]?.name);
    drill.check('clients are served in the order of their requests', inOrder, served.join(', '));
  },
};
