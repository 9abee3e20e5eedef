import type { DrillScenario } from '../drill';
import { awaitLeases, awaitVerdict, checkNoFailover, injectFault, UNPROTECTED_SILENCE_MS_MAX } from './common';

export const witnessDisagrees: DrillScenario = {
  name: 'witness-disagrees',
  summary: 'Virginia is cut off from Oregon, the witness sees Oregon alive: no failover',
  async run(drill) {
    await awaitLeases(drill);
    injectFault(drill, 'every link from Virginia to Oregon is cut');
    const fromMs = performance.now();
    const links = ['virginia-oregon/router', 'virginia-oregon/db', 'virginia-oregon/replication'] as const;
    for (const link of links) drill.world.changeLink(link, { mode: 'cut' });
    await awaitVerdict(drill, 'hold');
    const { verdictState } = await drill.control();
    drill.mark(`verdict: hold (${verdictState?.verdict.reason ?? '?'})`);
    await checkNoFailover(drill);
    const silenceMs = drill.traffic.longestSilenceMs(fromMs, performance.now());
    drill.check(
      'Oregon keeps granting',
      silenceMs < UNPROTECTED_SILENCE_MS_MAX,
      `longest silence ${Math.round(silenceMs)} ms`,
    );

    for (const link of links) drill.world.changeLink(link, { mode: 'open' });
    await awaitVerdict(drill, 'healthy');
    drill.mark('links healed: healthy');
  },
};
