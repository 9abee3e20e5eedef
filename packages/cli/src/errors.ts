/** Exit codes that scripts can use; told in `npx evergrant --help`. */
export const EXIT = {
  ok: 0,
  /** The world answered, and the answer is no. */
  refused: 1,
  /** The command line is wrong. */
  usage: 2,
  /** Nothing answers: the world, or the part of it that is needed, does not run. */
  unreachable: 3,
  /** It was begun and did not end in time; it may still end. */
  timedOut: 4,
} as const;

/** An end of the command with a sentence for people and a code for scripts. */
export class CommandError extends Error {
  readonly exitCode: number;
  readonly code: string;

  constructor(failure: { exitCode: number; code: string; message: string; cause?: unknown }) {
    super(failure.message, { cause: failure.cause });
    this.name = 'CommandError';
    this.exitCode = failure.exitCode;
    this.code = failure.code;
  }
}
