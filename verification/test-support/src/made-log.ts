import { generateKeyPairSync } from 'node:crypto';
import {
  checkpointHash,
  createStatementReader,
  createStatementSigner,
  type ReadStatement,
} from '@evergrant/formats/audit/checkpoint';
import { type AuditEvent, GENESIS_HASH, hashOf, lineOf } from '@evergrant/formats/audit/event';
import type { Finding } from '@evergrant/formats/audit/finding';
import { eventsOf } from '@evergrant/formats/audit/lines';
import type { StoredStatement } from '@evergrant/formats/audit/statement-check';
import { type VerificationInput, type VerificationSummary, verifyLog } from '@evergrant/formats/audit/verification';
import type { JWK } from 'jose';

export const KEY: JWK & { kid: string } = {
  ...(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }) as {
    kty: string;
    crv: string;
    x: string;
    d: string;
  }),
  kid: 'audit-test',
};

export interface ChainDraft {
  readonly chain: string;
  /** One event each: its epoch. */
  readonly epochs: readonly number[];
  /** After which events a checkpoint is signed. */
  readonly checkpointsAfter: readonly number[];
}

export interface MadeLog {
  readonly events: readonly AuditEvent[];
  readonly statements: readonly StoredStatement[];
}

export function chained(events: readonly Omit<AuditEvent, 'previousHash' | 'hash'>[]): AuditEvent[] {
  let previousHash = GENESIS_HASH;
  return events.map((event) => {
    const hash = hashOf({ ...event, previousHash });
    const linked = { ...event, previousHash, hash };
    previousHash = hash;
    return linked;
  });
}

export function drafted({ chain, epochs }: Pick<ChainDraft, 'chain' | 'epochs'>): AuditEvent[] {
  return chained(
    epochs.map((epoch, index) => ({
      chain,
      seq: index + 1,
      epoch,
      era: epoch,
      at: `2026-11-22T10:${String(Math.floor(index / 60) % 60).padStart(2, '0')}:${String(index % 60).padStart(2, '0')}.000000Z`,
      kind: 'lease_granted',
      actor: 'token-ü',
      body: `{"lease":"${index}","holder":"room \\"${index}\\" ❄","seats":1}`,
    })),
  );
}

/** A log with its checkpoints, and a signed head of each chain. */
export async function madeLog(drafts: readonly ChainDraft[], { heads = true } = {}): Promise<MadeLog> {
  const events: AuditEvent[] = [];
  const statements: StoredStatement[] = [];
  for (const draft of [...drafts].sort((a, b) => (a.chain < b.chain ? -1 : 1))) {
    const chain = drafted(draft);
    events.push(...chain);
    statements.push(...(await checkpointsOf(chain, draft.checkpointsAfter)));
    if (heads) statements.push(await headOf(chain.at(-1)!));
  }
  return { events, statements };
}

const WHO = { region: 'oregon', server: 'oregon/app-1', at: '2026-11-22T11:00:00.000000Z' };

export async function checkpointsOf(
  chain: readonly AuditEvent[],
  after: readonly number[],
  from: readonly StoredStatement[] = [],
): Promise<StoredStatement[]> {
  const signer = await createStatementSigner([KEY]);
  const made: StoredStatement[] = [];
  let before = from.at(-1);
  for (const seq of after) {
    const { chain: name, hash, epoch, era } = chain[seq - 1]!;
    const number: number = (before?.number ?? 0) + 1;
    const claims = {
      chain: name,
      seq,
      hash,
      epoch,
      era,
      ...WHO,
      number,
      previous: before ? checkpointHash(before.jws) : null,
    };
    before = { chain: name, number, jws: await signer.signCheckpoint(claims) };
    made.push(before);
  }
  return made;
}

export async function headOf({ chain, seq, hash, epoch, era }: AuditEvent): Promise<StoredStatement> {
  const signer = await createStatementSigner([KEY]);
  return { chain, number: null, jws: await signer.signHead({ chain, seq, hash, epoch, era, ...WHO }) };
}

export function reader(): Promise<ReadStatement> {
  const { d: _private, ...published } = KEY;
  return createStatementReader({ keys: [published] });
}

export interface MadeLogVerdict {
  readonly findings: readonly Finding[];
  readonly summary: VerificationSummary;
}

/** Verifies the bytes of an export. */
export async function verdictOnBytes(
  bytes: Buffer,
  statements: readonly StoredStatement[],
  options: Partial<VerificationInput> = {},
): Promise<MadeLogVerdict> {
  async function* chunks(): AsyncGenerator<Buffer> {
    // Ends of chunks and ends of lines do not fall together.
    for (let from = 0; from < bytes.length; from += 777) yield bytes.subarray(from, from + 777);
  }
  async function* given(): AsyncGenerator<StoredStatement> {
    yield* statements;
  }
  const run = verifyLog({
    events: eventsOf(chunks(), 'export'),
    statements: given(),
    readStatement: await reader(),
    whole: true,
    ...options,
  });
  const findings: Finding[] = [];
  for (;;) {
    const next = await run.next();
    if (next.done) return { findings, summary: next.value };
    findings.push(next.value);
  }
}

export function exportOf(events: readonly AuditEvent[]): Buffer {
  return Buffer.from(events.map((event) => `${lineOf(event)}\n`).join(''));
}

export async function verdictOn(
  { events, statements }: MadeLog,
  options: Partial<VerificationInput> = {},
): Promise<MadeLogVerdict> {
  return verdictOnBytes(exportOf(events), statements, options);
}
