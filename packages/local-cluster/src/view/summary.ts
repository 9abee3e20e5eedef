import { toWidth } from '@evergrant/core/format';
import pc from 'picocolors';
import type { WorldState } from '../world/state';
import { wrap } from './layout';
import { MARKS, processMark } from './region-box';

const BAR_WIDTH = 24;
const FEATURE_WIDTH = 20;
const CONTROLLER_SILENT_AFTER_MS = 60_000;
const POOLS_STALE_AFTER_MS = 3_000;

/** The edge, the authority store, the controller, and everything that is not normal. */
export function summaryLines(state: WorldState): string[] {
  const { authority, controller } = state;
  const separator = pc.dim('│');
  const epoch = authority
    ? `epoch ${authority.epoch} belongs to ${pc.bold(authority.region)}${authority.open ? '' : pc.yellow(', not open yet')}`
    : pc.red('the authority store does not answer');
  const edge = `edge ${state.edge} ${pc.dim('→')} ${state.edgeTarget ?? pc.red('no answer')}`;
  const silent = (controller?.lastCycleAgeMs ?? 0) > CONTROLLER_SILENT_AFTER_MS ? pc.red(' (silent)') : '';
  const verdict = controller
    ? `${controller.verdict}${silent} ${pc.dim('·')} automation ${controller.automation}`
    : pc.dim('no cycle yet');
  const witness = `witness ${MARKS[processMark(state, 'ohio/witness')]}`;
  const store = `authority store ${MARKS[processMark(state, 'ohio/db')]}`;
  const lines = [
    ` ${edge}   ${separator}   ${epoch}`,
    ` ohio: ${witness}  ${store}   ${separator}   controller ${MARKS[processMark(state, 'controller')]} ${verdict}`,
  ];
  if (controller?.operation) lines.push(` ${pc.yellow(`▶ ${controller.operation}`)} ${pc.dim(controller.why)}`);
  if (controller?.pendingFences.length) {
    lines.push(` ${pc.yellow(`pending fence: ${controller.pendingFences.join(', ')}`)}`);
  }
  if (state.cutLinks.length) lines.push(` ${pc.yellow(`links cut: ${state.cutLinks.join(', ')}`)}`);
  return lines;
}

/** One line with a bar for each pool. */
export function poolLines(state: WorldState): string[] {
  const isStale = arePoolsStale(state);
  return state.pools.map(({ feature, seats, seatsTaken, seatsHeldBack }) => {
    const takenShare = seats === 0 ? 0 : seatsTaken / seats;
    const heldBackShare = seats === 0 ? 0 : seatsHeldBack / seats;
    const taken = Math.min(BAR_WIDTH, Math.ceil(takenShare * BAR_WIDTH));
    const heldBack = Math.min(BAR_WIDTH - taken, Math.ceil(heldBackShare * BAR_WIDTH));
    const free = '░'.repeat(BAR_WIDTH - taken - heldBack);
    const bar = `${pc.green('█'.repeat(taken))}${pc.yellow('▒'.repeat(heldBack))}${pc.dim(free)}`;
    const note = seatsHeldBack > 0 ? pc.yellow(` ${seatsHeldBack} held back`) : '';
    const line = ` ${toWidth(feature, FEATURE_WIDTH)} ${bar} ${String(seatsTaken).padStart(5)} of ${seats}${note}`;
    return isStale ? pc.dim(`${line}  (last known)`) : line;
  });
}

/** All pools without bars, wrapped: `pools: bot-creator 5 of 25 · …`. */
export function compactPoolLines(state: WorldState, columns: number): string[] {
  if (state.pools.length === 0) return [];
  const pools = state.pools.map(({ feature, seats, seatsTaken }) => `${feature} ${seatsTaken} of ${seats}`);
  const line = ` pools: ${pools.join(' · ')}${arePoolsStale(state) ? ' (last known)' : ''}`;
  return wrap(arePoolsStale(state) ? pc.dim(line) : line, columns);
}

/** The demo Control Rooms and their seats, wrapped. */
export function controlRoomLines(state: WorldState, columns: number): string[] {
  if (state.rooms.length === 0) return [];
  const rooms = state.rooms.map(({ name, seats, trouble }) =>
    trouble ? pc.yellow(`${name} ${seats} (${trouble})`) : `${name} ${pc.bold(String(seats))}`,
  );
  return wrap(` Control Rooms: ${rooms.join('   ')}`, columns);
}

function arePoolsStale(state: WorldState): boolean {
  return state.poolsAgeMs !== undefined && state.poolsAgeMs > POOLS_STALE_AFTER_MS;
}
