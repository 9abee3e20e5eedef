import type { Scenario } from '../drill';
import { awaitVerdict, injectFault, promiseNoFailover, settleIn } from './common';

export const witnessDisagrees: Scenario = {
  name: 'witness-disagrees',
  summary: 'Virginia is cut off from Oregon, the witness sees Oregon alive: no failover',
  async run(drill) {
    await settleIn(drill);
    injectFault(drill, 'every link from Virginia to Oregon is cut');
    const fromMs = performance.now();
    const links = ['virginia-oregon/router', 'virginia-oregon/db', 'virginia-oregon/replication'] as const;
    for (const link of links) drill.world.changeLink(link, { mode: 'cut' });
    await awaitVerdict(drill, 'hold');
    const { verdictState } = await drill.control();
    drill.mark(`verdict: hold (${verdictState?.verdict.reason ?? '?'})`);
    await promiseNoFailover(drill);
    const silenceMs = drill.load.longestSilenceMs(fromMs, performance.now());
    drill.promise('Oregon grants on undisturbed', silenceMs < 1_500, `longest silence ${Math.round(silenceMs)} ms`);

    for (const link of links) drill.world.changeLink(link, { mode: 'open' });
    await awaitVerdict(drill, 'healthy');
    drill.mark('links healed: healthy');
  },
};
