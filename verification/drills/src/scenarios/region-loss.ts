import type { Drill, Scenario } from '../drill';
import { awaitFailover, everythingIn, injectFault, settleIn } from './common';

/** About a cross-region round trip: what Oregon acknowledges in its last moments does not arrive. */
const LINK_DELAY_MS = 70;
const AT_ONCE = 8;
const GRANTS_BEFORE = 40;
/** Granted after the link has died and before the region does: well within the escrow of 100. */
const LAST_GRANTS = 20;
/** Well before Oregon would begin to grant unprotected, which is another story: every free seat would be held back. */
const LAST_GRANTS_MS = 400;

export const regionLoss: Scenario = {
  name: 'region-loss',
  summary:
    'everything in Oregon is killed at once, with a slow link: Virginia takes over, and nothing that was acknowledged is lost',
  async run(drill) {
    drill.world.changeLink('virginia-oregon/replication', { delayMs: LINK_DELAY_MS });
    await settleIn(drill);
    drill.figure('delay of the replication link, each way (ms)', LINK_DELAY_MS);
    // Grants up to the very moment: the last of them are on their way to Virginia when the link dies, and then Oregon.
    const surge = drill.load.surge(AT_ONCE);
    await drill.eventually('checkouts follow each other', 60_000, () => surge.granted() >= GRANTS_BEFORE);
    drill.world.changeLink('virginia-oregon/replication', { mode: 'cut' });
    const known = surge.granted();
    await drill
      .eventually('the last grants', LAST_GRANTS_MS, () => surge.granted() >= known + LAST_GRANTS)
      .catch(() => 0);
    injectFault(drill, 'SIGKILL of everything in Oregon, with what was on its way to Virginia');
    drill.signal('SIGKILL', everythingIn('oregon'));
    surge.stop();
    await awaitFailover(drill);
    drill.figure('free seats held back in the new epoch', await seatsHeldBack(drill));
    await drill.eventually('calls are served', 20_000, () => drill.load.recentSuccesses(1_000) > 5);
  },
};

interface PoolView {
  readonly feature: string;
  readonly seats: number;
  readonly seatsHeldBack: number;
}

/** What the failover costs: seats that are not sold until every unknown grant must have lapsed, pool by pool. */
async function seatsHeldBack(drill: Drill): Promise<string> {
  let pools: readonly PoolView[] = [];
  await drill.eventually('the pools are read', 20_000, async () => {
    pools = await readPools(drill);
    return pools.length > 0;
  });
  return pools.map((pool) => `${pool.feature} ${pool.seatsHeldBack} of ${pool.seats}`).join(', ');
}

/** None while Virginia does not answer. */
async function readPools({ world: { layout, tokens } }: Drill): Promise<readonly PoolView[]> {
  const headers = { authorization: `Bearer ${tokens.admin}` };
  const answer = await fetch(`${layout.url('edge')}/v1/pools`, { headers }).catch(() => undefined);
  if (answer?.status !== 200) return [];
  return ((await answer.json()) as { readonly pools: readonly PoolView[] }).pools;
}
