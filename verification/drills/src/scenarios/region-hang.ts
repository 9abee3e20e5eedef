import type { DrillScenario } from '../drill';
import { awaitFailover, awaitLeases, checkDoesNotGrant, everythingIn, injectFault, serversOf } from './common';

export const regionHang: DrillScenario = {
  name: 'region-hang',
  summary: 'everything in Oregon is frozen: failover; after it resumes, Oregon does not grant',
  async run(drill) {
    await awaitLeases(drill);
    injectFault(drill, 'SIGSTOP of everything in Oregon');
    drill.signal('SIGSTOP', everythingIn('oregon'));
    await awaitFailover(drill);
    const cycleAgeMs = Date.now() - ((await drill.control()).lastCycleAtMs ?? 0);
    drill.check('no probe hangs', cycleAgeMs < 5_000, `last cycle ${cycleAgeMs} ms ago`);

    drill.signal('SIGCONT', everythingIn('oregon'));
    drill.mark('Oregon resumes');
    await drill.eventually('a resumed server answers', 20_000, () => drill.serverAnswers(serversOf('oregon')[0] ?? ''));
    await checkDoesNotGrant(drill, 'oregon', 5_000);
  },
};
