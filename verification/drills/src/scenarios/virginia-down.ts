import type { DrillScenario } from '../drill';
import { awaitLeases, everythingIn, injectFault, UNPROTECTED_SILENCE_MS_MAX } from './common';

export const virginiaDown: DrillScenario = {
  name: 'virginia-down',
  summary: 'the standby region is lost: Oregon keeps granting',
  async run(drill) {
    await awaitLeases(drill);
    injectFault(drill, 'SIGKILL of everything in Virginia, and of the controller');
    const fromMs = performance.now();
    drill.signal('SIGKILL', [...everythingIn('virginia'), 'controller']);
    // Longer than the authority lease: Oregon needs its own proof, without the follower's.
    await drill.pass(8_000);
    const silenceMs = drill.traffic.longestSilenceMs(fromMs, performance.now());
    drill.figure('longest time without a served call (ms)', Math.round(silenceMs));
    drill.check(
      'Oregon keeps granting',
      silenceMs < UNPROTECTED_SILENCE_MS_MAX,
      `longest silence ${Math.round(silenceMs)} ms`,
    );
    const { epoch, region } = await drill.authority();
    drill.check('authority stays with Oregon', epoch === 1 && region === 'oregon', `epoch ${epoch}, ${region}`);

    await drill.start([...everythingIn('virginia'), 'controller']);
    await drill.eventually('virginia/db follows again', 40_000, () =>
      drill.databaseRole('virginia/db').includes('streaming'),
    );
    drill.mark('Virginia is started again and follows');
    drill.check('Virginia rejoins automatically', true);
  },
};
