import { FAILBACK_STAGES } from '@evergrant/controller/core/operations';
import type { DrillScenario } from '../drill';
import {
  awaitFailover,
  awaitFirstGrant,
  awaitLeases,
  everythingIn,
  injectFault,
  markOperation,
  serversOf,
} from './common';

export const failback: DrillScenario = {
  name: 'failback',
  summary: 'after a failover Oregon is rebuilt and becomes active again; the switchover loses nothing',
  async run(drill) {
    await awaitLeases(drill);
    injectFault(drill, 'SIGKILL of everything in Oregon');
    drill.signal('SIGKILL', everythingIn('oregon'));
    await awaitFailover(drill);
    await drill.start([...serversOf('oregon'), 'oregon/router']);
    await drill.eventually('a server of Oregon answers', 30_000, () =>
      drill.serverAnswers(serversOf('oregon')[0] ?? ''),
    );
    drill.mark("Oregon's servers and router are started again");

    for (const stage of FAILBACK_STAGES) {
      const report = await drill.runFailbackStage(stage);
      if (stage === 'switchover') {
        markOperation(drill, report);
        drill.figure('carried over by the switchover', report.evidence.carriedOver ?? 'unknown');
        drill.check('the switchover carries everything over', report.evidence.carriedOver === 'everything');
      } else {
        drill.mark(`failback: ${stage} done`);
      }
    }
    await awaitFirstGrant(drill, 'oregon', 3);
    const [authority, control] = [await drill.authority(), await drill.control()];
    drill.check(
      'Oregon is active again',
      authority.region === 'oregon' && authority.epoch === 3,
      `epoch ${authority.epoch}`,
    );
    drill.check('the automation is armed again', control.automation.state === 'armed');
    await drill.eventually('virginia/db follows', 30_000, () =>
      drill.databaseRole('virginia/db').includes('streaming'),
    );
    await drill.eventually('oregon/db-b is in sync', 40_000, () =>
      drill.databaseRole('oregon/db-b').includes('in sync'),
    );
    drill.check('both standbys are in place again', true);
  },
};
