import { toWidth } from '@evergrant/core/format';
import pc from 'picocolors';
import type { WorldEvent } from '../world/events';
import { truncate, wrap } from './layout';

const LEVEL_PAINT: Record<WorldEvent['level'], (text: string) => string> = {
  info: (text) => text,
  good: pc.green,
  warning: pc.yellow,
  alarm: (text) => pc.bold(pc.red(text)),
};
const SOURCE_WIDTH = 15;
const TEXT_WIDTH_MIN = 20;
const ALARM_LINES_MAX = 3;

/** The newest events that fit into the given rows, oldest first. Alarms wrap, other events are cut. */
export function eventLines(
  events: readonly WorldEvent[],
  size: { readonly columns: number; readonly rows: number },
): string[] {
  const lines: string[] = [];
  for (const event of [...events].reverse()) {
    const added = event.level === 'alarm' ? wrappedLines(event, size.columns) : [eventLine(event, size.columns)];
    const fitting = lines.length === 0 ? added.slice(0, Math.max(0, size.rows)) : added;
    if (fitting.length === 0 || lines.length + fitting.length > size.rows) break;
    lines.unshift(...fitting);
  }
  return lines.map((line) => truncate(line, size.columns));
}

/** One event as one line. */
export function eventLine(event: WorldEvent, columns: number): string {
  const head = headOf(event);
  const text = toWidth(event.text, Math.max(TEXT_WIDTH_MIN, columns - head.length)).trimEnd();
  return `${pc.dim(head)}${LEVEL_PAINT[event.level](text)}`;
}

function wrappedLines(event: WorldEvent, columns: number): string[] {
  const head = headOf(event);
  const lines = wrap(event.text, Math.max(TEXT_WIDTH_MIN, columns - head.length), '');
  const shown = lines.slice(0, ALARM_LINES_MAX);
  if (lines.length > shown.length) shown[shown.length - 1] = `${shown.at(-1)} …`;
  const indent = ' '.repeat(head.length);
  return shown.map((line, index) => `${index === 0 ? pc.dim(head) : indent}${LEVEL_PAINT[event.level](line)}`);
}

/** ` HH:MM:SS  source           ` in the time zone of the machine. */
function headOf(event: WorldEvent): string {
  const time = new Date(event.at).toTimeString().slice(0, 8);
  return ` ${time}  ${toWidth(event.source, SOURCE_WIDTH)}  `;
}
