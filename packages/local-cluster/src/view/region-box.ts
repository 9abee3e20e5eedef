import { toWidth } from '@evergrant/core/format';
import type { Region } from '@evergrant/core/regions';
import pc from 'picocolors';
import { grantingRegions, type WorldState } from '../world/state';

type Paint = (text: string) => string;

export const MARKS = { good: pc.green('●'), idle: pc.cyan('○'), paused: pc.yellow('◐'), bad: pc.red('✖') };
export const BOX_WIDTH = 46;
const LABEL_WIDTH = 7;
const TEXT_WIDTH = BOX_WIDTH - 14;
const ROWS_MIN = 6;

/** The box of one region: router, servers and databases. Compact boxes have no empty rows. */
export function regionBox(state: WorldState, region: Region, options: { readonly compact: boolean }): string[] {
  const grants = grantingRegions(state).includes(region);
  const title = ` ${region.toUpperCase()} ${grants ? 'grants' : 'does not grant'} `;
  const head = `┌─${(grants ? pc.green : pc.dim)(pc.bold(title))}${'─'.repeat(BOX_WIDTH - 3 - title.length)}┐`;
  const processes = state.processes.filter(({ place }) => place === region);
  const lines = [
    routerRow(state, region),
    ...processes.filter(({ kind }) => kind === 'app').map(({ name }) => serverRow(state, name)),
    ...processes.filter(({ kind }) => kind === 'db').map(({ name }) => databaseRow(state, name)),
  ];
  while (!options.compact && lines.length < ROWS_MIN) lines.push(' '.repeat(BOX_WIDTH - 4));
  return [head, ...lines.map((line) => `│ ${line} │`), `└${'─'.repeat(BOX_WIDTH - 2)}┘`];
}

export function processMark(state: WorldState, name: string): 'good' | 'paused' | 'bad' {
  const entry = state.processes.find((candidate) => candidate.name === name);
  if (entry?.state === 'paused') return 'paused';
  return entry?.state === 'running' ? 'good' : 'bad';
}

/** One row: mark, label and text. The text is cut before it is colored, so the width is exact. */
function row(mark: string, label: string, text: string, paint: Paint = (plain) => plain): string {
  return `${mark} ${toWidth(label, LABEL_WIDTH)} ${paint(toWidth(text, TEXT_WIDTH))}`;
}

function routerRow(state: WorldState, region: Region): string {
  const name = `${region}/router`;
  const acl = state.acl[region] ?? 'does not answer';
  const port =
    state.processes
      .find((entry) => entry.name === name)
      ?.url?.split(':')
      .at(-1) ?? '';
  const status = acl === 'serve' ? 'serves' : acl === 'fence' ? 'fenced' : acl;
  return row(MARKS[processMark(state, name)], 'router', `${status}, port ${port}`);
}

function stoppedRow(state: WorldState, name: string): string | undefined {
  const label = labelOf(name);
  const mark = processMark(state, name);
  if (mark === 'bad') return row(MARKS.bad, label, 'not running', pc.red);
  return mark === 'paused' ? row(MARKS.paused, label, 'paused', pc.yellow) : undefined;
}

function serverRow(state: WorldState, name: string): string {
  const stopped = stoppedRow(state, name);
  if (stopped !== undefined) return stopped;
  const label = labelOf(name);
  const server = state.servers.find((candidate) => candidate.name === name);
  if (!server?.answering) return row(MARKS.bad, label, 'does not answer', pc.red);
  if (server.granting) return row(MARKS.good, label, `granting, epoch ${server.epoch ?? '?'}`, pc.green);
  return row(MARKS.idle, label, (server.reason ?? 'not granting').replaceAll('_', ' '), pc.dim);
}

function databaseRow(state: WorldState, name: string): string {
  const stopped = stoppedRow(state, name);
  if (stopped !== undefined) return stopped;
  const view = state.databases.find((candidate) => candidate.name === name);
  return row(view?.healthy ? MARKS.good : MARKS.paused, labelOf(name), view?.role ?? 'starting');
}

const labelOf = (name: string): string => name.split('/')[1] ?? name;
