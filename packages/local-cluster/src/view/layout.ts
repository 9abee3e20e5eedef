/** Widths and line breaks of text with ANSI colors. */

export const LINE_GAP = '';

// biome-ignore lint/suspicious/noControlCharactersInRegex: ANSI color sequences begin with the escape character
const COLOR_SEQUENCE = /\u001b\[[0-9;]*m/;
const RESET = '\u001b[0m';

/** The number of columns that a text takes in a terminal. Colors take none. */
export function visibleWidth(text: string): number {
  return [...plain(text)].length;
}

export function plain(text: string): string {
  return text.replaceAll(new RegExp(COLOR_SEQUENCE, 'g'), '');
}

/** Cuts a text to a width and marks the cut with `…`. Colors stay valid. */
export function truncate(text: string, columns: number): string {
  if (visibleWidth(text) <= columns) return text;
  let width = 0;
  let result = '';
  let rest = text;
  while (rest !== '' && width < columns - 1) {
    const color = COLOR_SEQUENCE.exec(rest);
    const token = color?.index === 0 ? color[0] : String.fromCodePoint(rest.codePointAt(0) as number);
    if (color?.index !== 0) width += 1;
    result += token;
    rest = rest.slice(token.length);
  }
  const end = result.includes('\u001b') ? RESET : '';
  return columns < 1 ? '' : `${result}…${end}`;
}

/** One line of at most `columns` columns. */
export function fit(text: string, columns: number): string {
  return truncate(text, Math.max(1, columns));
}

/** Breaks a line at spaces, with an indent for the continuation. Colors end with their line. */
export function wrap(line: string, columns: number, indent = '   '): string[] {
  if (visibleWidth(line) <= columns) return [line];
  const lines: string[] = [];
  let current = '';
  for (const word of line.split(' ')) {
    const candidate = current === '' ? word : `${current} ${word}`;
    if (visibleWidth(candidate) <= columns || current.trim() === '') current = candidate;
    else {
      lines.push(current);
      current = `${indent}${word}`;
    }
  }
  lines.push(current);
  return lines.map((each) => truncate(each, columns));
}
