import { PHASES_OF } from '@evergrant/controller/core/operations';
import type { Drill, Scenario } from '../drill';
import { awaitFailover, everythingIn, injectFault, settleIn } from './common';

/** Kills a controller that has stopped at a boundary, and starts the next one, which stops at the next boundary. */
async function killAt(drill: Drill, boundary: string): Promise<void> {
  await drill.restartController(boundary);
  await drill.eventually(`the controller stops at ${boundary}`, 40_000, () => drill.controllerHaltedAt(boundary));
  drill.signal('SIGKILL', ['controller']);
  await drill.eventually('the controller is gone', 5_000, () => !drill.isRunning('controller'));
  drill.mark(`controller killed at ${boundary}`);
}

export const controllerDies: Scenario = {
  name: 'controller-dies',
  summary: 'the controller is killed before and after every phase of a failover: the next one finishes it',
  async run(drill) {
    await settleIn(drill);
    drill.signal('SIGKILL', ['controller']);
    await drill.eventually('the controller is gone', 5_000, () => !drill.isRunning('controller'));
    injectFault(drill, 'SIGKILL of everything in Oregon; then of the controller at every boundary');
    drill.signal('SIGKILL', everythingIn('oregon'));
    // Settling is the write that ends the operation: it acts on nothing, so `switch:after` is its boundary.
    const acting = PHASES_OF.failover.filter((phase) => phase !== 'complete');
    const boundaries = acting.flatMap((phase) => [`${phase}:before`, `${phase}:after`]);
    for (const boundary of boundaries) await killAt(drill, boundary);
    drill.figure('controllers killed', boundaries.length);
    await drill.restartController(undefined);
    await awaitFailover(drill);
    const { epoch } = await drill.authority();
    drill.promise('one change of hands, not more', epoch === 2, `epoch ${epoch}`);
  },
};
