/** The labels of armored blocks. */
export const LABELS = [
  'EVERGRANT LICENSE',
  'EVERGRANT CERTIFICATE',
  'EVERGRANT SEALED KEY',
  'LICENSE FILE',
  'EVERGRANT OFFLINE REQUEST',
  'EVERGRANT OFFLINE RESPONSE',
  'EVERGRANT OFFLINE RETURN',
  'EVERGRANT OFFLINE RECEIPT',
] as const;
export type Label = (typeof LABELS)[number];

export interface Block {
  readonly label: Label;
  /** The body without line breaks. */
  readonly body: string;
}

export type ArmorBlocks =
  | { readonly kind: 'blocks'; readonly blocks: readonly Block[] }
  | { readonly kind: 'unreadable'; readonly reason: string };

/** Maximum size of a file, in bytes. */
export const FILE_BYTES_MAX = 64 * 1024;

const COLUMNS = 64;
const BEGIN = /^-----BEGIN ([A-Z ]+)-----$/;
const BODY = /^[A-Za-z0-9+/=_.-]+$/;

/** Wraps base64 or base64url text (and dots) into short lines that survive mail and terminals. */
export function armor(label: Label, body: string): string {
  const lines = body.match(new RegExp(`.{1,${COLUMNS}}`, 'g')) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

/**
 * Splits text into its armored blocks. Only empty lines may appear outside of the blocks, because readers could trust
 * unsigned text beside a signed license.
 */
export function dearmor(text: string): ArmorBlocks {
  if (text.length > FILE_BYTES_MAX) return unreadable(`it is longer than ${FILE_BYTES_MAX / 1024} KiB`);
  const lines = text.split(/\r?\n/);
  const blocks: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    if (lines[at] === '') {
      at += 1;
      continue;
    }
    const found = readBlock(lines, at);
    if (found.kind === 'unreadable') return found;
    blocks.push(found.block);
    at = found.next;
  }
  return blocks.length > 0 ? { kind: 'blocks', blocks } : unreadable('it is empty');
}

type FoundBlock =
  | { readonly kind: 'block'; readonly block: Block; readonly next: number }
  | { readonly kind: 'unreadable'; readonly reason: string };

function readBlock(lines: readonly string[], start: number): FoundBlock {
  const label = labelOf(lines[start]);
  if (!label)
    return unreadable(`line ${start + 1} is not the start of a license file (-----BEGIN EVERGRANT LICENSE-----)`);
  const end = lines.indexOf(`-----END ${label}-----`, start);
  if (end < 0) return unreadable(`the line -----END ${label}----- is missing; the file is truncated`);
  const body = lines.slice(start + 1, end);
  const bad = body.findIndex((line) => !BODY.test(line));
  if (bad >= 0) return unreadable(`line ${start + bad + 2} contains an invalid character`);
  if (body.length === 0) return unreadable('the block is empty');
  return { kind: 'block', block: { label, body: body.join('') }, next: end + 1 };
}

function labelOf(line = ''): Label | undefined {
  const text = BEGIN.exec(line)?.[1];
  return LABELS.find((label) => label === text);
}

function unreadable(reason: string): { kind: 'unreadable'; reason: string } {
  return { kind: 'unreadable', reason };
}
