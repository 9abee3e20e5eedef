import { PHASES_OF } from '@evergrant/controller/core/operations';
import type { Drill, DrillScenario } from '../drill';
import { awaitFailover, awaitLeases, everythingIn, injectFault } from './common';

/** Starts a controller that halts at a boundary, and kills it there. */
async function killAt(drill: Drill, boundary: string): Promise<void> {
  await drill.restartController(boundary);
  await drill.eventually(`the controller halts at ${boundary}`, 40_000, () => drill.controllerHaltedAt(boundary));
  drill.signal('SIGKILL', ['controller']);
  await drill.eventually('the controller is gone', 5_000, () => !drill.isRunning('controller'));
  drill.mark(`controller killed at ${boundary}`);
}

export const controllerDies: DrillScenario = {
  name: 'controller-dies',
  summary: 'the controller is killed before and after every phase of a failover: the next one finishes it',
  async run(drill) {
    await awaitLeases(drill);
    drill.signal('SIGKILL', ['controller']);
    await drill.eventually('the controller is gone', 5_000, () => !drill.isRunning('controller'));
    injectFault(drill, 'SIGKILL of everything in Oregon; then of the controller at every boundary');
    drill.signal('SIGKILL', everythingIn('oregon'));
    // `complete` only writes the end of the operation, so `switch:after` is its boundary.
    const acting = PHASES_OF.failover.filter((phase) => phase !== 'complete');
    const boundaries = acting.flatMap((phase) => [`${phase}:before`, `${phase}:after`]);
    for (const boundary of boundaries) await killAt(drill, boundary);
    drill.figure('controllers killed', boundaries.length);
    await drill.restartController(undefined);
    await awaitFailover(drill);
    const { epoch } = await drill.authority();
    drill.check('authority changes once', epoch === 2, `epoch ${epoch}`);
  },
};
