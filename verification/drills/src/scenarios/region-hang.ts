import type { Scenario } from '../drill';
import { awaitFailover, everythingIn, injectFault, promiseDoesNotGrant, serversOf, settleIn } from './common';

export const regionHang: Scenario = {
  name: 'region-hang',
  summary: 'everything in Oregon is frozen: slow is as dead as dead; thawed, it does not grant',
  async run(drill) {
    await settleIn(drill);
    injectFault(drill, 'SIGSTOP of everything in Oregon');
    drill.signal('SIGSTOP', everythingIn('oregon'));
    await awaitFailover(drill);
    const cycleAgeMs = Date.now() - ((await drill.control()).lastCycleAtMs ?? 0);
    drill.promise('no hang holds a probe for ever', cycleAgeMs < 5_000, `last cycle ${cycleAgeMs} ms ago`);

    drill.signal('SIGCONT', everythingIn('oregon'));
    drill.mark('Oregon thaws');
    await drill.eventually('a thawed server answers', 20_000, () => drill.serverAnswers(serversOf('oregon')[0] ?? ''));
    await promiseDoesNotGrant(drill, 'oregon', 5_000);
  },
};
