/** Exit codes, documented in `npx evergrant --help`. */
export const EXIT = {
  ok: 0,
  /** The server, the controller or the verification answered no. */
  refused: 1,
  /** The command line is invalid. */
  usage: 2,
  /** The target, or the part of it that the command needs, does not run. */
  unreachable: 3,
  /** The operation started but did not complete in time; it may still complete. */
  timedOut: 4,
} as const;

/** Ends the command with a message for people and a code for scripts. */
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

/** An invalid command line or input file. */
export function usageError(code: string, message: string): CommandError {
  return new CommandError({ exitCode: EXIT.usage, code, message });
}
