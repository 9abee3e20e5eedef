import type { DrillScenario } from '../drill';
import { awaitFailover, awaitLeases, everythingIn, injectFault } from './common';

export const twoControllers: DrillScenario = {
  name: 'two-controllers',
  summary: 'two controllers run at once: one failover, one epoch',
  async run(drill) {
    await drill.addController('controller-2');
    await awaitLeases(drill);
    injectFault(drill, 'SIGKILL of everything in Oregon, with two controllers running');
    drill.signal('SIGKILL', everythingIn('oregon'));
    await awaitFailover(drill);
    const { epoch } = await drill.authority();
    drill.check('authority changes once', epoch === 2, `epoch ${epoch}`);
    const started = (await drill.history()).filter(({ kind }) => kind === 'operation-started').length;
    drill.check('one failover started', started === 1, `${started} started`);
  },
};
