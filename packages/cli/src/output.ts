import pc from 'picocolors';

/** Output of a command: text for people, or one JSON document for programs. */
export interface Output {
  readonly json: boolean;
  line(text?: string): void;
  /** Progress goes to standard error, so that standard output holds only the result. */
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
