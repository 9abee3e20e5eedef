import { evergrant } from './operator';

export interface AuditVerdict {
  readonly intact: boolean;
  readonly words: string;
}

interface AuditReport {
  readonly intact: boolean;
  readonly findings: readonly { readonly text?: string; readonly code?: string }[];
  readonly summary: { readonly events: number; readonly declaredLosses: readonly unknown[] };
}

/** Runs `npx evergrant audit verify` for the cluster in this folder. */
export async function verifyAudit(home: string): Promise<AuditVerdict> {
  const { stdout, words } = await evergrant(home, ['audit', 'verify', '--json']);
  try {
    return verdictOf(JSON.parse(stdout) as AuditReport);
  } catch {
    return { intact: false, words: `unexpected output: ${words}` };
  }
}

function verdictOf({ intact, findings, summary }: AuditReport): AuditVerdict {
  const [first] = findings;
  const lost = summary.declaredLosses.length > 0 ? `, ${summary.declaredLosses.length} losses declared` : '';
  const words = first ? `${findings.length} findings: ${first.text ?? first.code}` : `${summary.events} events${lost}`;
  return { intact, words };
}
