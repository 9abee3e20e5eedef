import type { Scenario } from '../drill';
import { awaitFailover, everythingIn, injectFault, settleIn } from './common';

export const twoControllers: Scenario = {
  name: 'two-controllers',
  summary: 'two controllers run at once: one failover, one epoch',
  async run(drill) {
    await drill.addController('controller-2');
    await settleIn(drill);
    injectFault(drill, 'SIGKILL of everything in Oregon, with two controllers at work');
    drill.signal('SIGKILL', everythingIn('oregon'));
    await awaitFailover(drill);
    const { epoch } = await drill.authority();
    drill.promise('one change of hands, not more', epoch === 2, `epoch ${epoch}`);
    const started = (await drill.history()).filter(({ kind }) => kind === 'operation-started').length;
    drill.promise('one failover was begun', started === 1, `${started} begun`);
  },
};
