import { createInterface } from 'node:readline/promises';
import { CommandError, EXIT } from '../errors';

/** Asks for a typed confirmation. Without a terminal, `--yes` is required. */
export async function confirmTyped(word: string, explanation: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY) {
    throw new CommandError({
      exitCode: EXIT.usage,
      code: 'not_confirmed',
      message: `${explanation}\nThere is no terminal for the confirmation: use --yes.`,
    });
  }
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const typed = await prompt.question(`${explanation}\nType ${word} to continue: `);
    if (typed.trim() === word) return;
  } finally {
    prompt.close();
  }
  throw new CommandError({ exitCode: EXIT.refused, code: 'not_confirmed', message: 'Nothing was done.' });
}
