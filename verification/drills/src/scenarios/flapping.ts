import type { Scenario } from '../drill';
import { everythingIn, injectFault, promiseNoFailover, settleIn } from './common';

const ROUNDS = 4;
/** Shorter than the confirmation window of the fast profile (6 samples, 0.5 s apart). */
const FROZEN_MS = 1_800;
const THAWED_MS = 2_000;

export const flapping: Scenario = {
  name: 'flapping',
  summary: 'Oregon freezes and thaws, never long enough to confirm its death: no failover',
  async run(drill) {
    await settleIn(drill);
    injectFault(drill, `everything in Oregon frozen ${ROUNDS} times for ${FROZEN_MS} ms`);
    for (let round = 1; round <= ROUNDS; round += 1) {
      drill.signal('SIGSTOP', everythingIn('oregon'));
      await drill.pass(FROZEN_MS);
      drill.signal('SIGCONT', everythingIn('oregon'));
      drill.mark(`thawed, round ${round}`);
      await drill.pass(THAWED_MS);
    }
    await promiseNoFailover(drill, 5_000);
    await drill.eventually('calls are served', 20_000, () => drill.load.recentSuccesses(1_000) > 5);
    drill.promise('Oregon serves on', true);
  },
};
