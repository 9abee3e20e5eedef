import { evergrant } from './operator';

export interface AuditVerdict {
  readonly intact: boolean;
  readonly words: string;
}

interface Told {
  readonly intact: boolean;
  readonly findings: readonly { readonly text?: string; readonly code?: string }[];
  readonly summary: { readonly events: number; readonly declaredLosses: readonly unknown[] };
}

/** What `npx evergrant audit verify` says of the world in this folder. */
export async function verifyAudit(home: string): Promise<AuditVerdict> {
  const { stdout, words } = await evergrant(home, ['audit', 'verify', '--json']);
  try {
    return verdictOf(JSON.parse(stdout) as Told);
  } catch {
    return { intact: false, words: `it said: ${words}` };
  }
}

function verdictOf({ intact, findings, summary }: Told): AuditVerdict {
  const [first] = findings;
  const lost = summary.declaredLosses.length > 0 ? `, ${summary.declaredLosses.length} losses declared` : '';
  const words = first ? `${findings.length} findings: ${first.text ?? first.code}` : `${summary.events} events${lost}`;
  return { intact, words };
}
