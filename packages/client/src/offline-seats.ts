import { readFile } from 'node:fs/promises';
import { dearmor } from '@evergrant/formats/license/armor';
import { type LeaseProof, publicKeysOf, TokenVerifier } from './keys/lease-proof';

export interface OfflineSeatsOptions {
  /** Path of the offline response. */
  readonly file: string;
  /** Public keys of the license servers (a JSON Web Key Set), saved earlier or delivered with the file. */
  readonly keys: unknown;
  /** GUID of this Control Room. */
  readonly controlRoom: string;
  /** Current time in milliseconds since 1970. @default the machine's clock */
  readonly nowMs?: () => number;
}

/** Seats of one offline response. They need no network and no heartbeats, and end when they expire. */
export interface OfflineSeats {
  readonly kind: 'lent';
  /** Expiry of the last seat, in milliseconds since 1970. */
  readonly endsAtMs: number;
  /** Returns the number of seats of a feature that have not expired. */
  seats(product: string, feature: string): number;
}

export type OfflineSeatsRefusal = 'unreadable' | 'untrusted' | 'of_another_control_room' | 'expired';

export type OfflineSeatsOutcome =
  | OfflineSeats
  /** `because` is a message for the person who delivered the file. */
  | { readonly kind: 'refused'; readonly code: OfflineSeatsRefusal; readonly because: string };

const RESPONSE_LABEL = 'EVERGRANT OFFLINE RESPONSE';
const RESPONSE_TYPE = 'evergrant-offline-response+jwt';

interface CallResponse {
  readonly room: string;
  readonly leases: readonly string[];
}

/**
 * Reads an offline response and verifies its signature, its Control Room and every lease in it with the given keys. Never
 * rejects.
 */
export async function readOfflineSeats(options: OfflineSeatsOptions): Promise<OfflineSeatsOutcome> {
  const { file, keys, controlRoom, nowMs = Date.now } = options;
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    return refused('unreadable', `${file} cannot be read: ${(error as Error).message}`);
  }
  const armored = dearmor(text);
  if (armored.kind === 'unreadable') return refused('unreadable', `${file} is incomplete: ${armored.reason}`);
  const block = armored.blocks.find(({ label }) => label === RESPONSE_LABEL);
  if (!block) return refused('unreadable', `${file} contains no offline response`);
  const verifier = new TokenVerifier(publicKeysOf(keys));
  const signed = await verifier.claimsOf(block.body, RESPONSE_TYPE);
  const response = signed.kind === 'signed' ? responseOf(signed.claims) : undefined;
  if (!response) return refused('untrusted', 'the file is not signed by a trusted license server, or was changed');
  if (response.room !== controlRoom) {
    return refused('of_another_control_room', `the file is for Control Room ${response.room}; this is ${controlRoom}`);
  }
  const verdicts = await Promise.all(response.leases.map((token) => verifier.verify(token)));
  const leases = verdicts.flatMap((verdict) => (verdict.kind === 'proven' ? [verdict.proof] : []));
  if (leases.length < verdicts.length)
    return refused('untrusted', 'a lease in the file is not signed by a trusted license server, or was changed');
  return lent(leases, nowMs);
}

function lent(leases: readonly LeaseProof[], nowMs: () => number): OfflineSeatsOutcome {
  const endsAtMs = Math.max(0, ...leases.map(({ expiresAtMs }) => expiresAtMs));
  if (endsAtMs <= nowMs()) {
    return refused('expired', `the seats expired on ${new Date(endsAtMs).toISOString()}; create a new request`);
  }
  return {
    kind: 'lent',
    endsAtMs,
    seats: (product, feature) =>
      leases
        .filter((lease) => lease.product === product && lease.feature === feature && lease.expiresAtMs > nowMs())
        .reduce((sum, { seats }) => sum + seats, 0),
  };
}

function responseOf(claims: unknown): CallResponse | undefined {
  const { room, leases } = (claims ?? {}) as Partial<CallResponse>;
  const whole = typeof room === 'string' && Array.isArray(leases);
  return whole && leases.every((token) => typeof token === 'string') ? (claims as CallResponse) : undefined;
}

function refused(code: OfflineSeatsRefusal, because: string): OfflineSeatsOutcome {
  return { kind: 'refused', code, because };
}
