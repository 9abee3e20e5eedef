import type { DrillScenario } from '../drill';
import { awaitAlert, awaitFailover, awaitLeases, awaitVerdict, everythingIn, injectFault, serversOf } from './common';

export const standbyNotReady: DrillScenario = {
  name: 'standby-not-ready',
  summary: "Oregon is lost while Virginia's servers are down: alert, no failover; failover once Virginia is ready",
  async run(drill) {
    await awaitLeases(drill);
    drill.signal('SIGKILL', serversOf('virginia'));
    drill.mark("Virginia's servers are killed");
    injectFault(drill, "SIGKILL of everything in Oregon, with Virginia's servers down");
    const since = Date.now();
    drill.signal('SIGKILL', everythingIn('oregon'));
    await awaitVerdict(drill, 'standby_not_ready');
    drill.mark('verdict: standby_not_ready');
    await awaitAlert(drill, /standby|virginia/i, since);
    const moved = await drill.steadily(5_000, async () =>
      (await drill.authority()).epoch === 1 ? undefined : 'authority has moved',
    );
    drill.check('no failover while the standby is not ready', moved === undefined, moved ?? '');

    await drill.start(serversOf('virginia'));
    drill.mark("Virginia's servers are started again");
    await awaitFailover(drill);
  },
};
