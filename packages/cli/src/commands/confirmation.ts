import { createInterface } from 'node:readline/promises';
import { CommandError, EXIT } from '../errors';

/** Asks a person to type a word. Without a terminal there is nobody to ask, and `--yes` must say it. */
export async function confirmTyped(word: string, explanation: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY) {
    throw new CommandError({
      exitCode: EXIT.usage,
      code: 'not_confirmed',
      message: `${explanation}\nThere is no terminal to confirm it on: say --yes.`,
    });
  }
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const typed = await prompt.question(`${explanation}\nType ${word} to go on: `);
    if (typed.trim() === word) return;
  } finally {
    prompt.close();
  }
  throw new CommandError({ exitCode: EXIT.refused, code: 'not_confirmed', message: 'Nothing was done.' });
}
