import { FAILBACK_STAGES } from '@evergrant/controller/core/operations';
import type { Scenario } from '../drill';
import {
  awaitFailover,
  awaitFirstGrant,
  everythingIn,
  injectFault,
  markOperation,
  serversOf,
  settleIn,
} from './common';

export const failback: Scenario = {
  name: 'failback',
  summary: 'there and back again: after a failover Oregon is rebuilt and takes over, nothing lost on the way back',
  async run(drill) {
    await settleIn(drill);
    injectFault(drill, 'SIGKILL of everything in Oregon');
    drill.signal('SIGKILL', everythingIn('oregon'));
    await awaitFailover(drill);
    await drill.start([...serversOf('oregon'), 'oregon/router']);
    await drill.eventually('a server of Oregon answers', 30_000, () =>
      drill.serverAnswers(serversOf('oregon')[0] ?? ''),
    );
    drill.mark('machines of Oregon are back');

    for (const stage of FAILBACK_STAGES) {
      const report = await drill.runFailbackStage(stage);
      if (stage === 'switchover') {
        markOperation(drill, report);
        drill.figure('carried over by the hand-over', report.evidence.carriedOver ?? 'unknown');
        drill.promise('the hand-over carries everything over', report.evidence.carriedOver === 'everything');
      } else {
        drill.mark(`failback: ${stage} done`);
      }
    }
    await awaitFirstGrant(drill, 'oregon', 3);
    const [authority, control] = [await drill.authority(), await drill.control()];
    drill.promise(
      'Oregon is active again',
      authority.region === 'oregon' && authority.epoch === 3,
      `epoch ${authority.epoch}`,
    );
    drill.promise('the automation is armed again', control.automation.state === 'armed');
    await drill.eventually('virginia/db follows', 30_000, () =>
      drill.databaseRole('virginia/db').includes('streaming'),
    );
    await drill.eventually('oregon/db-b is in sync', 40_000, () =>
      drill.databaseRole('oregon/db-b').includes('in sync'),
    );
    drill.promise('both standbys stand by again', true);
  },
};
