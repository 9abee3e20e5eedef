import type { Drill, DrillScenario } from '../drill';
import { awaitFailover, awaitLeases, everythingIn, injectFault } from './common';

/** About a cross-region round trip: the last grants do not reach Virginia. */
const LINK_DELAY_MS = 70;
const AT_ONCE = 8;
const GRANTS_BEFORE = 40;
/** Grants between the loss of the link and the loss of the region: within the escrow of 100. */
const LAST_GRANTS = 20;
/** Shorter than the time after which Oregon would grant unprotected. */
const LAST_GRANTS_MS = 400;

export const regionLoss: DrillScenario = {
  name: 'region-loss',
  summary:
    'everything in Oregon is killed at once, with a slow link: Virginia takes over, no acknowledged lease is lost',
  async run(drill) {
    drill.world.changeLink('virginia-oregon/replication', { delayMs: LINK_DELAY_MS });
    await awaitLeases(drill);
    drill.figure('delay of the replication link, each way (ms)', LINK_DELAY_MS);
    // Grants continue up to the fault: the last are in flight to Virginia when the link and then Oregon fail.
    const startBurst = drill.traffic.startBurst(AT_ONCE);
    await drill.eventually('checkouts follow each other', 60_000, () => startBurst.granted() >= GRANTS_BEFORE);
    drill.world.changeLink('virginia-oregon/replication', { mode: 'cut' });
    const known = startBurst.granted();
    await drill
      .eventually('the last grants', LAST_GRANTS_MS, () => startBurst.granted() >= known + LAST_GRANTS)
      .catch(() => 0);
    injectFault(drill, 'SIGKILL of everything in Oregon, with grants in flight to Virginia');
    drill.signal('SIGKILL', everythingIn('oregon'));
    startBurst.stop();
    await awaitFailover(drill);
    drill.figure('free seats held back in the new epoch', await seatsHeldBack(drill));
    await drill.eventually('calls are served', 20_000, () => drill.traffic.recentSuccesses(1_000) > 5);
  },
};

interface PoolView {
  readonly feature: string;
  readonly seats: number;
  readonly seatsHeldBack: number;
}

/** The cost of the failover: seats of each pool that are held back until all unknown grants have expired. */
async function seatsHeldBack(drill: Drill): Promise<string> {
  let pools: readonly PoolView[] = [];
  await drill.eventually('the pools are read', 20_000, async () => {
    pools = await readPools(drill);
    return pools.length > 0;
  });
  return pools.map((pool) => `${pool.feature} ${pool.seatsHeldBack} of ${pool.seats}`).join(', ');
}

/** Empty while Virginia does not answer. */
async function readPools({ world: { layout, tokens } }: Drill): Promise<readonly PoolView[]> {
  const headers = { authorization: `Bearer ${tokens.admin}` };
  const answer = await fetch(`${layout.url('edge')}/v1/pools`, { headers }).catch(() => undefined);
  if (answer?.status !== 200) return [];
  return ((await answer.json()) as { readonly pools: readonly PoolView[] }).pools;
}
