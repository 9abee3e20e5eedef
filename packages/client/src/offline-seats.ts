import { readFile } from 'node:fs/promises';
import { dearmor } from '@evergrant/formats/license/armor';
import { type LeaseProof, publicKeysOf, TokenVerifier } from './keys/lease-proof';

export interface OfflineSeatsOptions {
  /** Path of the offline response, as an administrator brought it. */
  readonly file: string;
  /** The license servers' public keys (a JWKS), pinned while there was a network or brought with the file. */
  readonly keys: unknown;
  /** GUID of the Control Room that this is. */
  readonly controlRoom: string;
  /** Milliseconds since 1970. @default the host's clock */
  readonly nowMs?: () => number;
}

/** Seats of one offline response. They need no network, no heartbeats, and end when their time is over. */
export interface OfflineSeats {
  readonly kind: 'lent';
  /** When the last of them ends, in milliseconds since 1970. */
  readonly endsAtMs: number;
  /** How many seats of a feature there are at this moment. */
  seats(product: string, feature: string): number;
}

export type OfflineSeatsRefusal = 'unreadable' | 'untrusted' | 'of_another_control_room' | 'expired';

export type OfflineSeatsOutcome =
  | OfflineSeats
  /** `because` is a sentence for the person who brought the file. */
  | { readonly kind: 'refused'; readonly code: OfflineSeatsRefusal; readonly because: string };

const RESPONSE_LABEL = 'EVERGRANT OFFLINE RESPONSE';
const RESPONSE_TYPE = 'evergrant-offline-response+jwt';

interface CallResponse {
  readonly room: string;
  readonly leases: readonly string[];
}

/**
 * Reads an offline response and verifies it with pinned keys alone: its signature, whom it is for, and every lease in
 * it. Never rejects.
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
  if (armored.kind === 'unreadable') return refused('unreadable', `${file} is not whole: ${armored.reason}`);
  const block = armored.blocks.find(({ label }) => label === RESPONSE_LABEL);
  if (!block) return refused('unreadable', `${file} holds no offline response`);
  const verifier = new TokenVerifier(publicKeysOf(keys));
  const signed = await verifier.claimsOf(block.body, RESPONSE_TYPE);
  const response = signed.kind === 'signed' ? responseOf(signed.claims) : undefined;
  if (!response)
    return refused('untrusted', 'none of the license servers that are trusted here has signed it as it is');
  if (response.room !== controlRoom) {
    return refused(
      'of_another_control_room',
      `it is for the Control Room ${response.room}, and this is ${controlRoom}`,
    );
  }
  const verdicts = await Promise.all(response.leases.map((token) => verifier.verify(token)));
  const leases = verdicts.flatMap((verdict) => (verdict.kind === 'proven' ? [verdict.proof] : []));
  if (leases.length < verdicts.length) return refused('untrusted', 'a lease in it is not signed as it is');
  return lent(leases, nowMs);
}

function lent(leases: readonly LeaseProof[], nowMs: () => number): OfflineSeatsOutcome {
  const endsAtMs = Math.max(0, ...leases.map(({ expiresAtMs }) => expiresAtMs));
  if (endsAtMs <= nowMs()) {
    return refused('expired', `it ended on ${new Date(endsAtMs).toISOString()}; make a new request`);
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
