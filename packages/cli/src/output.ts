import pc from 'picocolors';

/** Where a command writes: text for people, or one JSON document for programs. */
export interface Output {
  readonly json: boolean;
  line(text?: string): void;
  /** Progress of what takes long: to standard error, so that standard output stays the answer. */
  progress(text: string): void;
  document(value: unknown): void;
}

export function createOutput(json: boolean): Output {
  return {
    json,
    line: (text = '') => {
      if (!json) process.stdout.write(`${text}\n`);
    },
    progress: (text) => {
      if (!json) process.stderr.write(`${pc.dim(text)}\n`);
    },
    document: (value) => {
      if (json) process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
    },
  };
}

/** A plain table: columns as wide as their widest cell, two spaces between. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (most, cells) => cells.map((cell, column) => Math.max(most[column] ?? 0, cell.length)),
    [],
  );
  return rows
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
