import { duration, toWidth } from '@evergrant/core/format';
import type { Region } from '@evergrant/core/regions';
import pc from 'picocolors';
import type { WorldEvent } from '../world/events';
import { grantingRegions, type WorldState } from '../world/state';

type Paint = (text: string) => string;

const DOT = { good: pc.green('●'), idle: pc.cyan('○'), paused: pc.yellow('◐'), bad: pc.red('✖') };
const BOX_WIDTH = 46;
const BAR_WIDTH = 24;
const LEVEL_PAINT: Record<WorldEvent['level'], Paint> = {
  info: (text) => text,
  good: pc.green,
  warning: pc.yellow,
  alarm: (text) => pc.bold(pc.red(text)),
};

/** A line of a region's box: a mark and words; the words are cut before they are painted, so widths hold. */
function row(mark: string, label: string, words: string, paint: Paint = (text) => text): string {
  return `${mark} ${toWidth(label, 7)} ${paint(toWidth(words, BOX_WIDTH - 14))}`;
}

function processMark(state: WorldState, name: string): 'good' | 'paused' | 'bad' {
  const entry = state.processes.find((candidate) => candidate.name === name);
  if (entry?.state === 'paused') return 'paused';
  return entry?.state === 'running' ? 'good' : 'bad';
}

function serverRow(state: WorldState, name: string): string {
  const label = name.split('/')[1] ?? name;
  const mark = processMark(state, name);
  if (mark === 'bad') return row(DOT.bad, label, 'gone', pc.red);
  if (mark === 'paused') return row(DOT.paused, label, 'paused', pc.yellow);
  const server = state.servers.find((candidate) => candidate.name === name);
  if (!server?.answering) return row(DOT.bad, label, 'does not answer', pc.red);
  if (server.granting) return row(DOT.good, label, `granting, epoch ${server.epoch ?? '?'}`, pc.green);
  return row(DOT.idle, label, (server.reason ?? 'not granting').replaceAll('_', ' '), pc.dim);
}

function databaseRow(state: WorldState, name: string): string {
  const label = name.split('/')[1] ?? name;
  const mark = processMark(state, name);
  if (mark === 'bad') return row(DOT.bad, label, 'gone', pc.red);
  if (mark === 'paused') return row(DOT.paused, label, 'paused', pc.yellow);
  const view = state.databases.find((candidate) => candidate.name === name);
  return row(view?.healthy ? DOT.good : DOT.paused, label, view?.role ?? 'starting');
}

function regionBox(state: WorldState, region: Region): string[] {
  const granting = grantingRegions(state).includes(region);
  const router = processMark(state, `${region}/router`);
  const acl = state.acl[region] ?? 'no answer';
  const port =
    state.processes
      .find(({ name }) => name === `${region}/router`)
      ?.url?.split(':')
      .at(-1) ?? '';
  const databases = state.processes.filter(({ place, kind }) => place === region && kind === 'db');
  const apps = state.processes.filter(({ place, kind }) => place === region && kind === 'app');
  const title = ` ${region.toUpperCase()} ${granting ? 'grants' : 'does not grant'} `;
  const head = `┌─${(granting ? pc.green : pc.dim)(pc.bold(title))}${'─'.repeat(BOX_WIDTH - 3 - title.length)}┐`;
  const lines = [
    row(DOT[router], 'router', `${acl === 'serve' ? 'serves' : acl === 'fence' ? 'fenced' : acl}, port ${port}`),
    ...apps.map(({ name }) => serverRow(state, name)),
    ...databases.map(({ name }) => databaseRow(state, name)),
  ];
  while (lines.length < 6) lines.push(' '.repeat(BOX_WIDTH - 4));
  return [head, ...lines.map((line) => `│ ${line} │`), `└${'─'.repeat(BOX_WIDTH - 2)}┘`];
}

function sideBySide(left: string[], right: string[]): string[] {
  return left.map((line, index) => ` ${line}  ${right[index] ?? ''}`);
}

function summary(state: WorldState): string[] {
  const { authority, controller } = state;
  const epoch = authority
    ? `epoch ${authority.epoch} belongs to ${pc.bold(authority.region)}${authority.open ? '' : pc.yellow(', not open yet')}`
    : pc.red('the authority store does not answer');
  const edge = `edge ${state.edge} ${pc.dim('→')} ${state.edgeTarget ?? pc.red('no answer')}`;
  const silent = (controller?.lastCycleAgeMs ?? 0) > 60_000 ? pc.red(' (silent)') : '';
  const words = controller
    ? `${controller.verdict}${silent} ${pc.dim('·')} automation ${controller.automation}`
    : pc.dim('no cycle yet');
  const lines = [
    ` ${edge}   ${pc.dim('│')}   ${epoch}`,
    ` ohio: witness ${DOT[processMark(state, 'ohio/witness')]}  authority store ${DOT[processMark(state, 'ohio/db')]}` +
      `   ${pc.dim('│')}   controller ${DOT[processMark(state, 'controller')]} ${words}`,
  ];
  if (controller?.operation) lines.push(` ${pc.yellow(`▶ ${controller.operation}`)} ${pc.dim(controller.why)}`);
  if (controller?.pendingFences.length)
    lines.push(` ${pc.yellow(`fence debt: ${controller.pendingFences.join(', ')}`)}`);
  if (state.cutLinks.length) lines.push(` ${pc.yellow(`links cut: ${state.cutLinks.join(', ')}`)}`);
  return lines;
}

function poolRows(state: WorldState): string[] {
  const stale = state.poolsAgeMs !== undefined && state.poolsAgeMs > 3_000;
  return state.pools.map(({ feature, seats, seatsTaken, seatsHeldBack }) => {
    const share = seats === 0 ? 0 : seatsTaken / seats;
    const held = seats === 0 ? 0 : seatsHeldBack / seats;
    const full = Math.min(BAR_WIDTH, Math.ceil(share * BAR_WIDTH));
    const back = Math.min(BAR_WIDTH - full, Math.ceil(held * BAR_WIDTH));
    const bar = `${pc.green('█'.repeat(full))}${pc.yellow('▒'.repeat(back))}${pc.dim('░'.repeat(BAR_WIDTH - full - back))}`;
    const note = seatsHeldBack > 0 ? pc.yellow(` ${seatsHeldBack} held back`) : '';
    const line = ` ${toWidth(feature, 20)} ${bar} ${String(seatsTaken).padStart(5)} of ${seats}${note}`;
    return stale ? pc.dim(`${line}  (last known)`) : line;
  });
}

function roomLines(state: WorldState, width: number): string[] {
  if (state.rooms.length === 0) return [];
  const words = state.rooms.map(({ name, seats, trouble }) =>
    trouble ? pc.yellow(`${name} ${seats} (${trouble})`) : `${name} ${pc.bold(String(seats))}`,
  );
  const plainWidth = state.rooms.reduce(
    (sum, { name, trouble }) => sum + name.length + 6 + (trouble?.length ?? -3),
    15,
  );
  const separator = plainWidth > width ? '\n                ' : '   ';
  return [` Control Rooms: ${words.join(separator)}`, ''];
}

/** One event as a line for people. */
export function eventLine(event: WorldEvent, width: number): string {
  const head = `${clockTime(event.at)}  ${toWidth(event.source, 15)}  `;
  return `${pc.dim(head)}${LEVEL_PAINT[event.level](toWidth(event.text, Math.max(20, width - head.length)).trimEnd())}`;
}

/**
 * The live view of the world as one text.
 * @param size terminal columns and rows; events fill what is left below the rest.
 */
export function renderFrame(state: WorldState, size: { columns: number; rows: number }): string {
  const title = ` ${pc.bold(pc.green('EVERGRANT'))}  two regions on one machine ${pc.dim(
    `· up ${duration(state.upMs)} · profile ${state.profile} · Ctrl-C ends everything`,
  )}`;
  const top = [
    title,
    '',
    ...summary(state),
    ...sideBySide(regionBox(state, 'oregon'), regionBox(state, 'virginia')),
    ...poolRows(state),
    '',
    ...roomLines(state, size.columns),
  ];
  const used = top.reduce((sum, line) => sum + line.split('\n').length, 0);
  const room = Math.max(3, size.rows - used - 1);
  const events = state.events.slice(-room).map((event) => ` ${eventLine(event, size.columns - 2)}`);
  return [...top, ...events].join('\n');
}

/** `HH:MM:SS` of an ISO time, in the machine's zone. */
function clockTime(iso: string): string {
  return new Date(iso).toTimeString().slice(0, 8);
}
