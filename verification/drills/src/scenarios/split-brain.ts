import { LINK_NAMES } from '@evergrant/local-cluster/layout';
import { PROFILE_DURATIONS } from '@evergrant/local-cluster/profiles';
import type { DrillScenario } from '../drill';
import { awaitFailover, awaitLeases, checkDoesNotGrant, injectFault } from './common';

/** A grant made in time may arrive later. */
const ANSWER_MS = 500;
const AT_ONCE = 8;

export const splitBrain: DrillScenario = {
  name: 'split-brain',
  summary: 'Oregon, alive, is isolated with half of the Control Rooms: it stops granting, and no pool is oversold',
  reach: 'half at the edge, half beside the servers of Oregon',
  async run(drill) {
    await awaitLeases(drill);
    injectFault(drill, 'every link between Oregon and the outside is cut');
    const cutAtMs = performance.now();
    for (const link of LINK_NAMES) if (link.includes('oregon')) drill.world.changeLink(link, { mode: 'cut' });
    // Oregon also grants seats that Virginia does not know, as many as the escrow allows.
    const startBurst = drill.traffic.startBurst(AT_ONCE);
    const leaseMs = PROFILE_DURATIONS.fast.authorityLeaseMs;
    await drill.pass(leaseMs);
    startBurst.stop();
    await awaitFailover(drill);
    const alone = drill.traffic.acknowledgedBy('oregon', cutAtMs);
    const lastMs = Math.max(0, ...alone.map(({ receivedAtMs }) => receivedAtMs - cutAtMs));
    drill.figure('acknowledged by Oregon while isolated', alone.length);
    drill.figure('of them seats that were not released', startBurst.granted());
    drill.figure('its last acknowledgement after the cut (ms)', Math.round(lastMs));
    drill.figure('its authority lease (ms)', leaseMs);
    drill.check('Oregon grants while its proof is valid', alone.length > 0, `${alone.length} acknowledged`);
    drill.check(
      'Oregon stops within its authority lease',
      lastMs <= leaseMs + ANSWER_MS,
      `after ${Math.round(lastMs)} ms`,
    );
    const { pendingFences } = await drill.control();
    drill.check('its fence is pending', pendingFences.length === 1, `pending: ${pendingFences.length}`);
    await checkDoesNotGrant(drill, 'oregon', 3_000);

    for (const link of LINK_NAMES) drill.world.changeLink(link, { mode: 'open' });
    drill.mark('links healed');
    await checkDoesNotGrant(drill, 'oregon', 4_000);
    const fenced = await drill
      .eventually("Oregon's router is fenced", 30_000, async () => (await drill.acl('oregon')) === 'fence')
      .catch(() => false);
    drill.check("Oregon's router is fenced once it can be reached", fenced === true);
  },
};
