import type { Grant } from '../core/verdict';
import type { ExpectedLease, KeyRing } from '../keys/key-ring';
import type { LeaseProof } from '../keys/lease-proof';
import type { LeaseDefinition } from './managed-lease';

/** JWTs count whole seconds. The answer may tell the part of a second that the token cuts off. */
const CUT_OFF_MS_MAX = 999;

export type GrantVerdict =
  | { readonly kind: 'proven'; readonly grant: Grant }
  | { readonly kind: 'refused'; readonly detail: string };

/**
 * Verifies the token of a grant, and takes times, policy and terms from the token alone: the other members of an answer
 * are not signed.
 *
 * @param askedId the lease id of the request
 */
export async function proveGrant(
  keys: Pick<KeyRing, 'verify'>,
  grant: Grant,
  { askedId, definition }: { readonly askedId: string; readonly definition: LeaseDefinition },
): Promise<GrantVerdict> {
  const { product, feature, seats, identity } = definition;
  const { leaseId = askedId, nonce } = grant;
  const expected: ExpectedLease = {
    leaseId,
    product,
    feature,
    seats,
    nonce,
    // Only the lease of this installation may be returned in place of the requested one.
    ...(leaseId === askedId ? {} : { identity: identity ?? '' }),
  };
  const verdict = await keys.verify(grant.token, expected);
  return verdict.kind === 'proven' ? { kind: 'proven', grant: provenGrant(grant, verdict.proof) } : verdict;
}

/** The grant with the terms of its token. */
export function provenGrant(grant: Grant, proof: LeaseProof): Grant {
  const { licenseId, issuedAtMs, policy, borrowed } = proof;
  const serverTimeMs = withinItsSecond(grant.serverTimeMs, issuedAtMs);
  const expiresAtMs = withinItsSecond((grant.serverTimeMs ?? issuedAtMs) + grant.expiresInMs, proof.expiresAtMs);
  const expiresInMs = Math.max(0, expiresAtMs - serverTimeMs);
  const heartbeatInMs = Math.min(grant.heartbeatInMs, expiresInMs);
  return { ...grant, licenseId, serverTimeMs, expiresInMs, heartbeatInMs, policy, borrowed };
}

function withinItsSecond(answeredMs: number | undefined, signedMs: number): number {
  return Math.min(Math.max(answeredMs ?? signedMs, signedMs), signedMs + CUT_OFF_MS_MAX);
}
