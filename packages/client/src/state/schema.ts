import { createHash } from 'node:crypto';
import type { LastContact } from '../core/elapsed';
import { type LeasePublicKey, publicKeysOf } from '../keys/lease-proof';

/** A lease in the state file. Leases are trusted by their signed token only, so editing the file has no effect. */
export interface StoredLease {
  readonly leaseId: string;
  readonly licenseId: string | undefined;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
  readonly holder: string;
  readonly identity: string | undefined;
  readonly borrowed: boolean;
  readonly epoch: number;
  readonly servedBy: string;
  readonly token: string;
}

/** Registration of the installation as a Control Room. The token is the credential of all its requests. */
export interface StoredControlRoom {
  readonly guid: string;
  readonly token: string;
  readonly licenseId: string | undefined;
}

/** Content of the state file. The names are part of the file format. */
export interface ClientState {
  /** Stable name of the installation. */
  readonly identity: string;
  readonly room: StoredControlRoom | undefined;
  readonly keys: readonly LeasePublicKey[];
  readonly contact: LastContact | undefined;
  readonly leases: readonly StoredLease[];
}

export type StateReadResult =
  | { readonly kind: 'read'; readonly state: ClientState }
  | { readonly kind: 'damaged'; readonly detail: string }
  | { readonly kind: 'newer_version'; readonly version: number };

const VERSION = 1;

const checksumOf = (content: unknown): string =>
  createHash('sha256')
    .update(JSON.stringify(content) ?? '')
    .digest('hex');

/** Formats the state file: one line of JSON. The checksum detects damage, not tampering. */
export function writeState(state: ClientState): string {
  return `${JSON.stringify({ version: VERSION, checksum: checksumOf(state), state })}\n`;
}

export function readState(text: string): StateReadResult {
  let document: Record<string, unknown>;
  try {
    document = asRecord(JSON.parse(text));
  } catch {
    return { kind: 'damaged', detail: 'the file is not JSON' };
  }
  const { version, checksum, state } = document;
  if (typeof version !== 'number') return { kind: 'damaged', detail: 'the version is missing' };
  if (version > VERSION) return { kind: 'newer_version', version };
  if (checksum !== checksumOf(state)) return { kind: 'damaged', detail: 'the checksum does not match' };
  const { identity, room, contact, leases } = asRecord(state);
  if (typeof identity !== 'string' || identity === '') return { kind: 'damaged', detail: 'the identity is missing' };
  return {
    kind: 'read',
    state: {
      identity,
      room: roomOf(room),
      keys: publicKeysOf(state),
      contact: contactOf(contact),
      leases: Array.isArray(leases) ? leases.flatMap((lease) => leaseOf(lease) ?? []) : [],
    },
  };
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

function roomOf(value: unknown): StoredControlRoom | undefined {
  const { guid, token, licenseId } = asRecord(value);
  if (typeof guid !== 'string' || typeof token !== 'string') return undefined;
  return { guid, token, licenseId: text(licenseId) };
}

function contactOf(value: unknown): LastContact | undefined {
  const { serverTimeMs, wallMs, ranMs } = asRecord(value);
  const numbers = [serverTimeMs, wallMs, ranMs].every(
    (number) => typeof number === 'number' && Number.isFinite(number),
  );
  return numbers ? ({ serverTimeMs, wallMs, ranMs } as LastContact) : undefined;
}

function leaseOf(value: unknown): StoredLease | undefined {
  const { leaseId, licenseId, product, feature, seats, holder, identity, borrowed, epoch, servedBy, token } =
    asRecord(value);
  const texts = [leaseId, product, feature, holder, token].every((each) => text(each) !== undefined);
  if (!texts || !Number.isSafeInteger(seats)) return undefined;
  return {
    leaseId: leaseId as string,
    licenseId: text(licenseId),
    product: product as string,
    feature: feature as string,
    seats: seats as number,
    holder: holder as string,
    identity: text(identity),
    borrowed: borrowed === true,
    epoch: typeof epoch === 'number' ? epoch : 0,
    servedBy: text(servedBy) ?? 'unknown',
    token: token as string,
  };
}
