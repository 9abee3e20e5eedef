import { createHash } from 'node:crypto';
import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';

const Hash = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 in hexadecimal digits' });

/**
 * One event of the audit log, as it is exported and hashed ("The format" in docs/audit.md). `body` is the exact JSON text
 * that was hashed; parsing and serializing it again would change the hash.
 */
export const AuditEvent = Type.Object(
  {
    chain: Type.String({ pattern: '^(system|pool/[1-9][0-9]*)$', description: '`system`, or `pool/<id>`' }),
    seq: Type.Integer({ minimum: 1, description: 'Counts from 1, without gaps' }),
    epoch: Type.Integer({ minimum: 0, description: 'The newest epoch at the time of the event; 0 before the first' }),
    era: Type.Integer({ minimum: 1, description: 'Increases with each promotion of the database' }),
    at: Type.String({
      pattern: '^[0-9]{4,6}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6}Z$',
      description: "By the database's clock, to the microsecond",
    }),
    kind: Type.String(),
    actor: Type.String(),
    body: Type.String({ description: 'JSON, the exact text that was hashed' }),
    previousHash: Hash,
    hash: Hash,
  },
  { additionalProperties: false },
);
export type AuditEvent = Static<typeof AuditEvent>;

export const FORMAT = 'evergrant-audit-1';

/** The `previousHash` of the first event of a chain. */
export const GENESIS_HASH = '0'.repeat(64);

/** Computes the hash of an event's content, independent of its `hash` field. */
export function hashOf(event: Omit<AuditEvent, 'hash'>): string {
  const { chain, seq, epoch, era, at, kind, actor, body, previousHash } = event;
  const hash = createHash('sha256').update(Buffer.from(previousHash, 'hex'));
  for (const part of [FORMAT, chain, String(seq), String(epoch), String(era), at, kind, actor, body]) {
    hash.update(`${Buffer.byteLength(part)}:${part},`);
  }
  return hash.digest('hex');
}

/** The canonical export line of an event, without the newline. */
export function lineOf(event: AuditEvent): string {
  const { chain, seq, epoch, era, at, kind, actor, body, previousHash, hash } = event;
  return JSON.stringify({ chain, seq, epoch, era, at, kind, actor, body, previousHash, hash });
}

export type LineVerdict =
  | { readonly kind: 'event'; readonly event: AuditEvent }
  | { readonly kind: 'unreadable'; readonly reason: string };

/** Parses a line of an export. A line that is not canonical is rejected too. */
export function readLine(line: string): LineVerdict {
  let content: unknown;
  try {
    content = JSON.parse(line);
  } catch {
    return { kind: 'unreadable', reason: 'it is not JSON' };
  }
  if (!Value.Check(AuditEvent, content)) {
    const [error] = Value.Errors(AuditEvent, content);
    return { kind: 'unreadable', reason: `${error?.path || 'the line'}: ${error?.message ?? 'is not an event'}` };
  }
  if (lineOf(content) !== line) return { kind: 'unreadable', reason: 'it is not in the canonical form of an export' };
  return { kind: 'event', event: content };
}
