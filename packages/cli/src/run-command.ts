import { OperatingError } from '@evergrant/core/operating-error';
import { CommanderError } from 'commander';
import pc from 'picocolors';
import { CommandError, EXIT } from './errors';
import { buildProgram } from './program';
import type { CommandContribution } from './target';

/** Runs the command line of this process and sets its exit code. */
export async function runCommand(contributions: readonly CommandContribution[]): Promise<void> {
  exitOnClosedPipe();
  try {
    await buildProgram(contributions).parseAsync();
    // A command that prints findings sets the exit code itself.
    process.exitCode ??= EXIT.ok;
  } catch (error) {
    process.exitCode = showFailure(error, process.argv.includes('--json'));
  }
}

/** `evergrant status | head` closes the pipe early: the command ends without a message. */
function exitOnClosedPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      process.exit(process.exitCode ?? EXIT.ok);
    });
  }
}

function showFailure(error: unknown, json: boolean): number {
  // Commander has already printed the error, or the requested help or version.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof Error && (error as NodeJS.ErrnoException).code === 'EPIPE') return EXIT.ok;
  const known =
    error instanceof CommandError ? error : error instanceof OperatingError ? unreachable(error) : undefined;
  const message = error instanceof Error ? error.message : String(error);
  if (json) process.stdout.write(`${JSON.stringify({ error: { code: known?.code ?? 'failed', message } }, null, 2)}\n`);
  else process.stderr.write(`${pc.red(message)}\n`);
  return known?.exitCode ?? EXIT.refused;
}

/** The authority store does not answer, so no controller can be reached through it. */
function unreachable({ code, message, cause }: OperatingError): CommandError {
  return new CommandError({ exitCode: EXIT.unreachable, code, message, cause });
}
