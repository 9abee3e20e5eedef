import type { Output } from '@evergrant/cli/output';
import { duration } from '@evergrant/core/format';
import { table } from '@evergrant/core/text-table';
import pc from 'picocolors';
import { grantingRegions, type WorldState } from '../world/state';
import { WorldClient } from './world-client';

/** Prints authority, granting regions, the controller's last verdict and the processes of the local cluster. */
export async function showLocalStatus(output: Output): Promise<void> {
  const state = await WorldClient.open().state();
  output.document(state);
  if (!output.json) printStatus(state, output);
}

function printStatus(state: WorldState, output: Output): void {
  const granting = grantingRegions(state);
  const grants =
    granting.length === 0 ? pc.red('NO REGION GRANTS') : pc.green(`${granting.join(' and ').toUpperCase()} GRANTS`);
  output.line(pc.bold(grants));
  output.line();
  output.line(table(overview(state)));
  output.line();
  output.line(table(serverRows(state)));
  output.line();
  const triads = triadRows(state);
  if (triads.length > 0) output.line(`${table(triads)}\n`);
  output.line(table(state.databases.map(({ name, role, healthy }) => [name, healthy ? 'ok' : 'attention', role])));
  output.line();
  output.line(
    table([
      ['entitlement', 'taken', 'held back', 'seats'],
      ...state.pools.map(({ product, feature, seatsTaken, seatsHeldBack, seats }) => [
        `${product}/${feature}`,
        String(seatsTaken),
        String(seatsHeldBack),
        String(seats),
      ]),
    ]),
  );
}

function overview(state: WorldState): string[][] {
  const { authority, controller } = state;
  const rows = [
    [
      'authority',
      authority
        ? `epoch ${authority.epoch}, ${authority.region}${authority.open ? '' : ' (not open yet)'}`
        : 'no answer',
    ],
    ['edge', `${state.edge} → ${state.edgeTarget ?? 'no answer'}`],
    ['routers', `oregon ${state.acl.oregon ?? 'no answer'}, virginia ${state.acl.virginia ?? 'no answer'}`],
  ];
  if (controller) {
    const age = controller.lastCycleAgeMs === undefined ? 'never' : `${duration(controller.lastCycleAgeMs)} ago`;
    rows.push(['controller', `${controller.verdict}; last cycle ${age}`], ['reason', controller.why]);
    rows.push(['automation', controller.automation]);
    if (controller.operation) rows.push(['operation', controller.operation]);
    if (controller.pendingFences.length > 0) rows.push(['pending fences', controller.pendingFences.join(', ')]);
  } else {
    rows.push(['controller', 'nothing recorded yet, or the authority store does not answer']);
  }
  if (state.cutLinks.length > 0) rows.push(['links cut', state.cutLinks.join(', ')]);
  return rows;
}

/** One row for each triad, as reported by one of its members. */
function triadRows(state: WorldState): string[][] {
  const seen = new Map<string, string[]>();
  for (const { name, triads = [] } of state.servers) {
    for (const { servers, quorum, inControl, term } of triads) {
      const names = servers.map(({ server, view }) => (view === 'present' ? server : `${server} (${view})`)).join(', ');
      const words =
        quorum === 'won' ? `in control: ${inControl ?? 'no server yet'}` : pc.red('NO QUORUM, NOTHING GRANTED');
      const key = servers.map(({ server }) => server).join();
      if (key.split(',').includes(name)) seen.set(key, ['triad', names, words, `term ${term}`]);
    }
  }
  return [...seen.values()];
}

function serverRows(state: WorldState): string[][] {
  return state.servers.map(({ name, answering, granting, epoch, reason }) => {
    const pid = state.processes.find((entry) => entry.name === name)?.pid;
    const words = !answering
      ? 'does not answer'
      : granting
        ? 'granting'
        : (reason ?? 'not granting').replaceAll('_', ' ');
    return [name, `pid ${pid ?? '-'}`, words, epoch === undefined ? '' : `epoch ${epoch}`];
  });
}
