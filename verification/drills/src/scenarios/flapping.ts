import type { DrillScenario } from '../drill';
import { awaitLeases, checkNoFailover, everythingIn, injectFault } from './common';

const ROUNDS = 4;
/** Shorter than the confirmation window of the fast profile (6 samples, 0.5 s apart). */
const FROZEN_MS = 1_800;
const RESUMED_MS = 2_000;

export const flapping: DrillScenario = {
  name: 'flapping',
  summary: 'Oregon freezes and resumes repeatedly, shorter than the confirmation window: no failover',
  async run(drill) {
    await awaitLeases(drill);
    injectFault(drill, `everything in Oregon frozen ${ROUNDS} times for ${FROZEN_MS} ms`);
    for (let round = 1; round <= ROUNDS; round += 1) {
      drill.signal('SIGSTOP', everythingIn('oregon'));
      await drill.pass(FROZEN_MS);
      drill.signal('SIGCONT', everythingIn('oregon'));
      drill.mark(`resumed, round ${round}`);
      await drill.pass(RESUMED_MS);
    }
    await checkNoFailover(drill, 5_000);
    await drill.eventually('calls are served', 20_000, () => drill.traffic.recentSuccesses(1_000) > 5);
    drill.check('Oregon keeps serving', true);
  },
};
