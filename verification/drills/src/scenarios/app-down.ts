import type { Scenario } from '../drill';
import { awaitAlert, awaitVerdict, injectFault, promiseNoFailover, serversOf, settleIn } from './common';

export const appDown: Scenario = {
  name: 'app-down',
  summary: 'all three servers die, the database lives: alert, no failover',
  async run(drill) {
    await settleIn(drill);
    injectFault(drill, 'SIGKILL of all three servers in Oregon');
    const since = Date.now();
    drill.signal('SIGKILL', serversOf('oregon'));
    await awaitVerdict(drill, 'application_down');
    drill.mark('verdict: application-down');
    await awaitAlert(drill, /application/i, since);
    await promiseNoFailover(drill);

    await drill.start(serversOf('oregon'));
    await awaitVerdict(drill, 'healthy');
    await drill.eventually('calls are served again', 20_000, () => drill.load.recentSuccesses(1_000) > 5);
    drill.mark('servers started again: healthy, and calls are served');
  },
};
