import type { Scenario } from '../drill';
import { everythingIn, injectFault, settleIn } from './common';

export const virginiaDown: Scenario = {
  name: 'virginia-down',
  summary: 'the standby region is lost: Oregon is not disturbed',
  async run(drill) {
    await settleIn(drill);
    injectFault(drill, 'SIGKILL of everything in Virginia, and of the controller');
    const fromMs = performance.now();
    drill.signal('SIGKILL', [...everythingIn('virginia'), 'controller']);
    // Longer than the authority lease: Oregon's own proof has to carry it, without the follower's.
    await drill.pass(8_000);
    const silenceMs = drill.load.longestSilenceMs(fromMs, performance.now());
    drill.figure('longest time without a served call (ms)', Math.round(silenceMs));
    drill.promise('Oregon grants on undisturbed', silenceMs < 1_500, `longest silence ${Math.round(silenceMs)} ms`);
    const { epoch, region } = await drill.authority();
    drill.promise('authority stays with Oregon', epoch === 1 && region === 'oregon', `epoch ${epoch}, ${region}`);

    await drill.start([...everythingIn('virginia'), 'controller']);
    await drill.eventually('virginia/db follows again', 40_000, () =>
      drill.databaseRole('virginia/db').includes('streaming'),
    );
    drill.mark('Virginia is started again and follows');
    drill.promise('Virginia rejoins by itself', true);
  },
};
