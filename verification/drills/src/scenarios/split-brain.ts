import { LINK_NAMES } from '@evergrant/local-cluster/layout';
import { PROFILE_DURATIONS } from '@evergrant/local-cluster/profiles';
import type { Scenario } from '../drill';
import { awaitFailover, injectFault, promiseDoesNotGrant, settleIn } from './common';

/** What was granted in time may still be on its way to its Control Room. */
const ANSWER_MS = 500;
const AT_ONCE = 8;

export const splitBrain: Scenario = {
  name: 'split-brain',
  summary:
    'Oregon, alive, is isolated with half of the Control Rooms: it stops granting by itself, and nothing is sold twice',
  reach: 'half at the edge, half beside the servers of Oregon',
  async run(drill) {
    await settleIn(drill);
    injectFault(drill, 'every link between Oregon and the rest of the world is cut');
    const cutAtMs = performance.now();
    for (const link of LINK_NAMES) if (link.includes('oregon')) drill.world.changeLink(link, { mode: 'cut' });
    // Beside those who come and go: what it grants alone is unknown to Virginia, as much as the escrow allows.
    const surge = drill.load.surge(AT_ONCE);
    const leaseMs = PROFILE_DURATIONS.fast.authorityLeaseMs;
    await drill.pass(leaseMs);
    surge.stop();
    await awaitFailover(drill);
    const alone = drill.load.acknowledgedBy('oregon', cutAtMs);
    const lastMs = Math.max(0, ...alone.map(({ receivedAtMs }) => receivedAtMs - cutAtMs));
    drill.figure('acknowledged by Oregon while it was alone', alone.length);
    drill.figure('of them seats that were not given back', surge.granted());
    drill.figure('its last acknowledgement after the cut (ms)', Math.round(lastMs));
    drill.figure('its authority lease (ms)', leaseMs);
    drill.promise('Oregon went on while its proof was good', alone.length > 0, `${alone.length} acknowledged`);
    drill.promise(
      'it stops within its authority lease',
      lastMs <= leaseMs + ANSWER_MS,
      `after ${Math.round(lastMs)} ms`,
    );
    const { pendingFences } = await drill.control();
    drill.promise('its fence is owed', pendingFences.length === 1, `debts: ${pendingFences.length}`);
    await promiseDoesNotGrant(drill, 'oregon', 3_000);

    for (const link of LINK_NAMES) drill.world.changeLink(link, { mode: 'open' });
    drill.mark('links healed');
    await promiseDoesNotGrant(drill, 'oregon', 4_000);
    const fenced = await drill
      .eventually("Oregon's router is fenced", 30_000, async () => (await drill.acl('oregon')) === 'fence')
      .catch(() => false);
    drill.promise("Oregon's router is fenced once it can be reached", fenced === true);
  },
};
