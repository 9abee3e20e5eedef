import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from '@evergrant/local-cluster/world/files';

export interface CommandOutcome {
  readonly succeeded: boolean;
  readonly stdout: string;
  /** Its output on one line. */
  readonly words: string;
}

const LIMIT_MS = 60_000;

/** Runs `npx evergrant …` for the cluster in this folder, like an operator's shell. */
export function evergrant(home: string, argv: readonly string[]): Promise<CommandOutcome> {
  const command = join(projectRoot(), 'dist/local-cluster/evergrant.js');
  const options = { env: { PATH: process.env.PATH, EVERGRANT_HOME: home, NO_COLOR: '1' }, timeout: LIMIT_MS };
  return new Promise((resolve) => {
    execFile(process.execPath, [command, ...argv], options, (error, stdout, stderr) => {
      const words = (stderr.trim() || stdout.trim() || error?.message || '').replaceAll(/\s+/g, ' ');
      resolve({ succeeded: error === null, stdout, words });
    });
  });
}
