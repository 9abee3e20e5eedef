/** One line of a table: the first column left-aligned, the others right-aligned, the last unpadded. */
export function row(texts: readonly string[], widths: readonly number[]): string {
  const padded = texts.map((text, column) => {
    const width = widths[column] ?? 0;
    return column === 0 || column === texts.length - 1 ? text.padEnd(width) : text.padStart(width);
  });
  return `  ${padded.join('  ')}`.trimEnd();
}
