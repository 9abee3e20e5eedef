/** What may stand between the lines of an armor. */
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
  /** Without its line ends. */
  readonly body: string;
}

export type ArmorBlocks =
  | { readonly kind: 'blocks'; readonly blocks: readonly Block[] }
  | { readonly kind: 'unreadable'; readonly reason: string };

/** Bytes of the largest file that is read. */
export const FILE_BYTES_MAX = 64 * 1024;

const COLUMNS = 64;
const BEGIN = /^-----BEGIN ([A-Z ]+)-----$/;
const BODY = /^[A-Za-z0-9+/=_.-]+$/;

/** Wraps text of the base64 and base64url alphabets (and dots) into lines that survive mail and terminals. */
export function armor(label: Label, body: string): string {
  const lines = body.match(new RegExp(`.{1,${COLUMNS}}`, 'g')) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

/**
 * Takes text apart into its armoured blocks. Nothing else may stand in it but empty lines before, after and between:
 * unsigned words beside a signed license would be believed.
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
    return unreadable(`line ${start + 1} is not the first line of a license file (-----BEGIN EVERGRANT LICENSE-----)`);
  const end = lines.indexOf(`-----END ${label}-----`, start);
  if (end < 0) return unreadable(`the line -----END ${label}----- is missing: the file is cut off`);
  const body = lines.slice(start + 1, end);
  const bad = body.findIndex((line) => !BODY.test(line));
  if (bad >= 0) return unreadable(`line ${start + bad + 2} has a character that does not belong there`);
  if (body.length === 0) return unreadable('there is nothing between its first and its last line');
  return { kind: 'block', block: { label, body: body.join('') }, next: end + 1 };
}

function labelOf(line = ''): Label | undefined {
  const written = BEGIN.exec(line)?.[1];
  return LABELS.find((label) => label === written);
}

function unreadable(reason: string): { kind: 'unreadable'; reason: string } {
  return { kind: 'unreadable', reason };
}
