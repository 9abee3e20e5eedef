import { createHash } from 'node:crypto';
import type { Static, TSchema } from '@sinclair/typebox';
import { armor, dearmor, type Label } from '../license/armor';
import { parseAs } from '../license/parse';
import { describeErrors } from '../license/refusal-codes';

export interface Unreadable {
  readonly kind: 'unreadable';
  /** An explanation for the person who uses the file. */
  readonly reason: string;
}

/**
 * Files from a Control Room are not signed: the administrator who submits them vouches for them. A checksum detects damage
 * by mail programs and terminals.
 */
export function writeUnsigned(label: Label, document: object): string {
  const json = Buffer.from(JSON.stringify(document));
  return armor(label, `${json.toString('base64url')}.${checksum(json)}`);
}

export type UnsignedFile<T> = { readonly kind: 'read'; readonly document: T; readonly sha256: string } | Unreadable;

export function readUnsigned<T extends TSchema>(text: string, label: Label, schema: T): UnsignedFile<Static<T>> {
  const body = bodyOf(text, label);
  if (body.kind === 'unreadable') return body;
  const [encoded = '', sum] = body.body.split('.');
  const json = Buffer.from(encoded, 'base64url');
  if (sum !== checksum(json))
    return unreadable('it was changed in transit: its checksum does not match. Send it again');
  const read = parseAs(schema, parsed(json));
  if (read.kind === 'invalid') return unreadable(describeErrors(read.errors));
  return { kind: 'read', document: read.value, sha256: sha256(json) };
}

/** Returns the body of the only block of a file, if it has the expected label. */
export function bodyOf(text: string, label: Label): { readonly kind: 'body'; readonly body: string } | Unreadable {
  const file = dearmor(text);
  if (file.kind === 'unreadable') return unreadable(`it is damaged: ${file.reason}`);
  const [first, ...others] = file.blocks;
  if (first?.label !== label) {
    return unreadable(`it contains "${first?.label.toLowerCase()}" instead of "${label.toLowerCase()}"`);
  }
  return others.length === 0 ? { kind: 'body', body: first.body } : unreadable('it contains more than one file');
}

export function unreadable(reason: string): Unreadable {
  return { kind: 'unreadable', reason };
}

export function sha256(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex');
}

function checksum(json: Buffer): string {
  return sha256(json).slice(0, 16);
}

function parsed(json: Buffer): unknown {
  try {
    return JSON.parse(json.toString('utf8'));
  } catch {
    return undefined;
  }
}
