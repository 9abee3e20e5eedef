import type { Scenario } from '../drill';
import { awaitFailover, everythingIn, injectFault, settleIn } from './common';

export const regionLoss: Scenario = {
  name: 'region-loss',
  summary: 'everything in Oregon is killed at once: Virginia takes over',
  async run(drill) {
    await settleIn(drill);
    injectFault(drill, 'SIGKILL of everything in Oregon');
    drill.signal('SIGKILL', everythingIn('oregon'));
    await awaitFailover(drill);
    await drill.eventually('calls are served', 20_000, () => drill.load.recentSuccesses(1_000) > 5);
    drill.toleratesLoss('the link between the regions is asynchronous');
  },
};
