import type { DrillScenario } from '../drill';
import { awaitLeases, checkNoFailover, injectFault } from './common';

export const oneAppDown: DrillScenario = {
  name: 'one-app-down',
  summary: 'one of three servers is killed: the router avoids it, service continues',
  async run(drill) {
    await awaitLeases(drill);
    injectFault(drill, 'SIGKILL of oregon/app-1');
    const fromMs = performance.now();
    drill.signal('SIGKILL', ['oregon/app-1']);
    await checkNoFailover(drill, 6_000);
    const silenceMs = drill.traffic.longestSilenceMs(fromMs, performance.now());
    drill.figure('longest time without a served call (ms)', Math.round(silenceMs));
    drill.check('service continues', silenceMs < 2_000, `longest silence ${Math.round(silenceMs)} ms`);

    await drill.start(['oregon/app-1']);
    await drill.eventually('oregon/app-1 grants again', 20_000, () => drill.serverGrants('oregon/app-1'));
    drill.mark('oregon/app-1 is back and grants');
    drill.check('a restarted server joins automatically', true);
  },
};
