import { otherRegion, type Region } from '@evergrant/core/regions';
import type { Drill, DrillScenario } from '../drill';
import { awaitFirstGrant, awaitLeases, everythingIn, injectFault, markOperation, serversOf } from './common';

const FAILOVER_LIMIT_MS = 60_000;
const GRANTS_BETWEEN = 50;

export const bothDirections: DrillScenario = {
  name: 'both-directions',
  summary: 'Oregon is lost, rejoins, then Virginia is lost: each time the other region takes over automatically',
  async run(drill) {
    await awaitLeases(drill);
    let epoch = 1;
    for (let turn = 1; turn <= drill.turns; turn += 1) {
      for (const lost of ['oregon', 'virginia'] as const) {
        epoch += 1;
        await loseAndRejoin(drill, lost, epoch);
      }
    }
    const { region } = await drill.authority();
    drill.check('Oregon is active at the end', region === 'oregon', `${region}, in epoch ${epoch}`);
  },
};

/** Kills the active region, waits for the automatic failover, and makes the lost region the standby again. */
async function loseAndRejoin(drill: Drill, lost: Region, epoch: number): Promise<void> {
  const survivor = otherRegion(lost);
  const before = drill.traffic.acknowledgedGrants();
  await drill.eventually('Control Rooms check out seats', 90_000, () => {
    return drill.traffic.acknowledgedGrants() >= before + GRANTS_BETWEEN;
  });
  injectFault(drill, `SIGKILL of everything in ${lost}`);
  drill.signal('SIGKILL', everythingIn(lost));
  const report = await drill.eventually(`the failover to ${survivor} is done`, FAILOVER_LIMIT_MS, async () => {
    const { operation, lastOperation } = await drill.control();
    const isDone = operation === undefined && lastOperation?.kind === 'failover' && lastOperation.toEpoch === epoch;
    return isDone ? lastOperation : undefined;
  });
  markOperation(drill, report);
  drill.check(`the failover to ${survivor} succeeds`, report.outcome === 'done' && report.automatic, report.summary);
  await awaitFirstGrant(drill, survivor, epoch);
  await drill.start([...serversOf(lost), `${lost}/router`]);
  await drill.eventually(`a server of ${lost} answers`, 30_000, () => drill.serverAnswers(serversOf(lost)[0] ?? ''));
  await drill.runCommand({ kind: 'rejoin' });
  drill.mark(`${lost} has rejoined`);
  await drill.arm();
}
