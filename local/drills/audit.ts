import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from '../two-region/world/files';

export interface AuditVerdict {
  readonly intact: boolean;
  readonly words: string;
}

const VERIFY_LIMIT_MS = 60_000;

interface Told {
  readonly intact: boolean;
  readonly findings: readonly { readonly text?: string; readonly code?: string }[];
  readonly summary: { readonly events: number; readonly declaredLosses: readonly unknown[] };
}

/** What `npx evergrant audit verify` says of the world in this folder, asked as an operator would. */
export function verifyAudit(home: string): Promise<AuditVerdict> {
  const command = join(projectRoot(), 'dist/cli/main.js');
  const options = { env: { PATH: process.env.PATH, EVERGRANT_HOME: home }, timeout: VERIFY_LIMIT_MS };
  return new Promise((resolve) => {
    execFile(process.execPath, [command, 'audit', 'verify', '--json'], options, (error, stdout, stderr) => {
      try {
        resolve(verdictOf(JSON.parse(stdout) as Told));
      } catch {
        resolve({ intact: false, words: `it said nothing: ${stderr.trim() || error?.message}` });
      }
    });
  });
}

function verdictOf({ intact, findings, summary }: Told): AuditVerdict {
  const [first] = findings;
  const lost = summary.declaredLosses.length > 0 ? `, ${summary.declaredLosses.length} losses declared` : '';
  const words = first ? `${findings.length} findings: ${first.text ?? first.code}` : `${summary.events} events${lost}`;
  return { intact, words };
}
