import { createHash } from 'node:crypto';
import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';

const Hash = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 in hexadecimal digits' });

/**
 * One event of the audit log, as it is exported and hashed ("The format" in docs/audit.md).
 * `body` is the very text that was hashed, a JSON object: reading and writing it again would change it.
 */
export const AuditEvent = Type.Object(
  {
    chain: Type.String({ pattern: '^(system|pool/[1-9][0-9]*)$', description: '`system`, or `pool/<id>`' }),
    seq: Type.Integer({ minimum: 1, description: 'From 1, without gaps' }),
    epoch: Type.Integer({ minimum: 0, description: 'The newest epoch when it happened; 0 before the first' }),
    era: Type.Integer({ minimum: 1, description: 'Each promotion of the database begins another' }),
    at: Type.String({
      pattern: '^[0-9]{4,6}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6}Z$',
      description: "By the database's clock, to the microsecond",
    }),
    kind: Type.String(),
    actor: Type.String(),
    body: Type.String({ description: 'JSON, as the text that was hashed' }),
    previousHash: Hash,
    hash: Hash,
  },
  { additionalProperties: false },
);
export type AuditEvent = Static<typeof AuditEvent>;

export const FORMAT = 'evergrant-audit-1';

/** What the first event of a chain names as the hash before it. */
export const GENESIS_HASH = '0'.repeat(64);

/** The hash that belongs to an event's content, whatever its own `hash` says. */
export function hashOf(event: Omit<AuditEvent, 'hash'>): string {
  const { chain, seq, epoch, era, at, kind, actor, body, previousHash } = event;
  const hash = createHash('sha256').update(Buffer.from(previousHash, 'hex'));
  for (const part of [FORMAT, chain, String(seq), String(epoch), String(era), at, kind, actor, body]) {
    hash.update(`${Buffer.byteLength(part)}:${part},`);
  }
  return hash.digest('hex');
}

/** The line of an export, without its end; an event has exactly one. */
export function lineOf(event: AuditEvent): string {
  const { chain, seq, epoch, era, at, kind, actor, body, previousHash, hash } = event;
  return JSON.stringify({ chain, seq, epoch, era, at, kind, actor, body, previousHash, hash });
}

export type LineVerdict =
  | { readonly kind: 'event'; readonly event: AuditEvent }
  | { readonly kind: 'unreadable'; readonly reason: string };

/** Reads a line of an export; one that says the same in other bytes is refused too. */
export function readLine(line: string): LineVerdict {
  let content: unknown;
  try {
    content = JSON.parse(line);
  } catch {
    return { kind: 'unreadable', reason: 'it is not JSON' };
  }
  if (!Value.Check(AuditEvent, content)) {
    const [mistake] = Value.Errors(AuditEvent, content);
    return { kind: 'unreadable', reason: `${mistake?.path || 'the line'}: ${mistake?.message ?? 'is no event'}` };
  }
  if (lineOf(content) !== line) return { kind: 'unreadable', reason: 'it is not written as an export writes it' };
  return { kind: 'event', event: content };
}
