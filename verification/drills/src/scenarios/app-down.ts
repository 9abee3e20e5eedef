import type { DrillScenario } from '../drill';
import { awaitAlert, awaitLeases, awaitVerdict, checkNoFailover, injectFault, serversOf } from './common';

export const appDown: DrillScenario = {
  name: 'app-down',
  summary: 'all three servers die, the database stays up: alert, no failover',
  async run(drill) {
    await awaitLeases(drill);
    injectFault(drill, 'SIGKILL of all three servers in Oregon');
    const since = Date.now();
    drill.signal('SIGKILL', serversOf('oregon'));
    await awaitVerdict(drill, 'application_down');
    drill.mark('verdict: application_down');
    await awaitAlert(drill, /application/i, since);
    await checkNoFailover(drill);

    await drill.start(serversOf('oregon'));
    await awaitVerdict(drill, 'healthy');
    await drill.eventually('calls are served again', 20_000, () => drill.traffic.recentSuccesses(1_000) > 5);
    drill.mark('servers are started again: healthy, calls are served');
  },
};
