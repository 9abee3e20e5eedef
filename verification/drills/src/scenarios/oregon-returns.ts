import type { Scenario } from '../drill';
import { awaitFailover, everythingIn, injectFault, promiseDoesNotGrant, serversOf, settleIn } from './common';

export const oregonReturns: Scenario = {
  name: 'oregon-returns',
  summary:
    'after a failover the old region comes back, processes and all: it does not grant, and its fence debt is paid',
  async run(drill) {
    await settleIn(drill);
    injectFault(drill, 'SIGKILL of everything in Oregon');
    drill.signal('SIGKILL', everythingIn('oregon'));
    await awaitFailover(drill);
    const owed = (await drill.control()).pendingFences.map(({ region }) => region);
    drill.promise(
      'the fence that could not be put up is owed',
      owed.includes('oregon'),
      `debts: ${owed.join(', ') || 'none'}`,
    );

    await drill.start(['oregon/db-a', 'oregon/db-b', ...serversOf('oregon'), 'oregon/router']);
    drill.mark('everything in Oregon is started again');
    await drill.eventually('a server of Oregon answers', 30_000, () =>
      drill.serverAnswers(serversOf('oregon')[0] ?? ''),
    );
    await promiseDoesNotGrant(drill, 'oregon', 6_000);
    const paid = await drill
      .eventually('the fence debt is paid', 30_000, async () => (await drill.control()).pendingFences.length === 0)
      .catch(() => false);
    drill.mark('fence debt paid');
    drill.promise('the fence debt is paid', paid === true, `Oregon's web ACL: ${await drill.acl('oregon')}`);
    drill.promise("Oregon's router is fenced", (await drill.acl('oregon')) === 'fence');
    const { epoch, region } = await drill.authority();
    drill.promise('authority stays with Virginia', epoch === 2 && region === 'virginia', `epoch ${epoch}, ${region}`);
  },
};
