import type { Scenario } from '../drill';
import { injectFault, promiseNoFailover, settleIn } from './common';

export const oneAppDown: Scenario = {
  name: 'one-app-down',
  summary: 'one of three servers is killed: the router goes around it, nobody notices',
  async run(drill) {
    await settleIn(drill);
    injectFault(drill, 'SIGKILL of oregon/app-1');
    const fromMs = performance.now();
    drill.signal('SIGKILL', ['oregon/app-1']);
    await promiseNoFailover(drill, 6_000);
    const silenceMs = drill.load.longestSilenceMs(fromMs, performance.now());
    drill.figure('longest time without a served call (ms)', Math.round(silenceMs));
    drill.promise('service goes on', silenceMs < 2_000, `longest silence ${Math.round(silenceMs)} ms`);

    await drill.start(['oregon/app-1']);
    await drill.eventually('oregon/app-1 grants again', 20_000, () => drill.serverGrants('oregon/app-1'));
    drill.mark('oregon/app-1 is back and grants');
    drill.promise('a server that is started again joins by itself', true);
  },
};
