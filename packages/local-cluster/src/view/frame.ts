import { duration } from '@evergrant/core/format';
import pc from 'picocolors';
import { grantingRegions, type WorldState } from '../world/state';
import { eventLines } from './event-lines';
import { fit, LINE_GAP, truncate, visibleWidth, wrap } from './layout';
import { BOX_WIDTH, regionBox } from './region-box';
import { compactPoolLines, controlRoomLines, poolLines, summaryLines } from './summary';

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

/** Two boxes, the margin on the left and the gap between them. */
const SIDE_BY_SIDE_COLUMNS_MIN = 2 * BOX_WIDTH + 5;
const FRAME_COLUMNS_MIN = BOX_WIDTH + 1;
const FRAME_ROWS_MIN = 12;
const EVENTS_MIN = 1;

/**
 * The live view as one text. No line is wider than the terminal and the text has fewer lines than the terminal has rows,
 * so that the terminal neither wraps nor scrolls. A terminal that is too small gets one line.
 */
export function renderFrame(state: WorldState, size: TerminalSize): string {
  if (size.columns < FRAME_COLUMNS_MIN || size.rows < FRAME_ROWS_MIN) return fit(oneLineState(state), size.columns);
  const rows = size.rows - 1;
  const sections = fittingSections(state, size.columns, rows - EVENTS_MIN);
  const events = eventLines(state.events, { columns: size.columns, rows: rows - sections.length });
  return [...sections, ...events].slice(0, rows).join('\n');
}

/** The state in one line, for a small terminal: `OREGON GRANTS · epoch 1 · controller healthy`. */
export function oneLineState(state: WorldState): string {
  const granting = grantingRegions(state).map((region) => `${region.toUpperCase()} GRANTS`);
  const parts = [
    granting.length > 0 ? granting.join(', ') : 'NO REGION GRANTS',
    state.authority ? `epoch ${state.authority.epoch}` : 'authority store does not answer',
    `controller ${state.controller?.operation ?? state.controller?.verdict ?? 'has not reported yet'}`,
  ];
  return parts.join(' · ');
}

/** The first of several layouts that fits. Each one shows less: no Control Rooms, no bars of pools, no pools. */
function fittingSections(state: WorldState, columns: number, rows: number): string[] {
  const head = [...titleLines(state, columns), ...summaryLines(state).flatMap((line) => wrap(line, columns))];
  const pools = poolLines(state).map((line) => truncate(line, columns));
  const rooms = controlRoomLines(state, columns);
  const boxes = boxLines(state, columns, { compact: false });
  const compactBoxes = boxLines(state, columns, { compact: true });
  const candidates = [
    [...head, ...boxes, ...pools, LINE_GAP, ...rooms, LINE_GAP],
    [...head, ...boxes, ...pools, LINE_GAP],
    [...head, ...compactBoxes, ...pools],
    [...head, ...compactBoxes, ...compactPoolLines(state, columns)],
    [...head, ...compactBoxes],
  ];
  const fitting = candidates.find((lines) => lines.length <= rows);
  return fitting ?? [...head, ...compactBoxes].slice(0, rows);
}

function titleLines(state: WorldState, columns: number): string[] {
  const title = pc.bold(pc.green('EVERGRANT'));
  const full = ` ${title}  two regions on one machine ${pc.dim(
    `· up ${duration(state.upMs)} · profile ${state.profile} · Ctrl-C stops everything`,
  )}`;
  const short = ` ${title} ${pc.dim(`· up ${duration(state.upMs)} · Ctrl-C stops`)}`;
  const lines = [truncate(visibleWidth(full) <= columns ? full : short, columns)];
  if (grantingRegions(state).length === 0) lines.push(` ${pc.bold(pc.red('NO REGION GRANTS'))}`);
  return lines;
}

function boxLines(state: WorldState, columns: number, options: { readonly compact: boolean }): string[] {
  const oregon = regionBox(state, 'oregon', options);
  const virginia = regionBox(state, 'virginia', options);
  if (columns < SIDE_BY_SIDE_COLUMNS_MIN) return [...oregon, ...virginia].map((line) => ` ${line}`);
  const height = Math.max(oregon.length, virginia.length);
  return Array.from(
    { length: height },
    (_, index) => ` ${oregon[index] ?? ' '.repeat(BOX_WIDTH)}  ${virginia[index] ?? ''}`,
  );
}
