import type { DrillScenario } from '../drill';
import { awaitFailover, awaitLeases, checkDoesNotGrant, everythingIn, injectFault, serversOf } from './common';

export const oregonReturns: DrillScenario = {
  name: 'oregon-returns',
  summary:
    'after a failover all processes of the old region return: it does not grant, and its pending fence is applied',
  async run(drill) {
    await awaitLeases(drill);
    injectFault(drill, 'SIGKILL of everything in Oregon');
    drill.signal('SIGKILL', everythingIn('oregon'));
    await awaitFailover(drill);
    const pending = (await drill.control()).pendingFences.map(({ region }) => region);
    drill.check(
      'the fence that could not be applied is pending',
      pending.includes('oregon'),
      `pending: ${pending.join(', ') || 'none'}`,
    );

    await drill.start(['oregon/db-a', 'oregon/db-b', ...serversOf('oregon'), 'oregon/router']);
    drill.mark('everything in Oregon is started again');
    await drill.eventually('a server of Oregon answers', 30_000, () =>
      drill.serverAnswers(serversOf('oregon')[0] ?? ''),
    );
    await checkDoesNotGrant(drill, 'oregon', 6_000);
    const applied = await drill
      .eventually(
        'the pending fence is applied',
        30_000,
        async () => (await drill.control()).pendingFences.length === 0,
      )
      .catch(() => false);
    drill.mark('pending fence applied');
    drill.check('the pending fence is applied', applied === true, `Oregon's web ACL: ${await drill.acl('oregon')}`);
    drill.check("Oregon's router is fenced", (await drill.acl('oregon')) === 'fence');
    const { epoch, region } = await drill.authority();
    drill.check('authority stays with Virginia', epoch === 2 && region === 'virginia', `epoch ${epoch}, ${region}`);
  },
};
