import { RECEIPT_TYPE, RESPONSE_TYPE } from '@evergrant/formats/offline/signed';
import type { Lease } from '../granting/core/lease';
import { compactSigner, type SigningKey } from '../platform/jws';

const ISSUER = 'evergrant';

export interface OfflineTokens {
  signResponse(response: {
    readonly controlRoom: string;
    readonly nonce: string;
    readonly licenseId: string;
    readonly requestSha256: string;
    readonly leases: readonly {
      readonly token: string;
      readonly nowMs: number;
      readonly lease: Pick<Lease, 'expiresAtMs'>;
    }[];
  }): Promise<string>;
  signReceipt(receipt: {
    readonly controlRoom: string;
    readonly nonce: string;
    readonly licenseId: string;
    readonly leaseIds: readonly string[];
  }): Promise<string>;
  /** Returns the ids of the leases in a response that this deployment signed. */
  leaseIdsOf(response: string): string[];
}

/** Signs responses and receipts with the lease key, whose public half offline Control Rooms have pinned. */
export function createOfflineTokens(keys: readonly SigningKey[]): OfflineTokens {
  const [active] = keys;
  if (!active) throw new TypeError('there is no signing key');
  const signResponse = compactSigner(active, RESPONSE_TYPE);
  const signReceipt = compactSigner(active, RECEIPT_TYPE);
  return {
    signResponse: ({ controlRoom, nonce, licenseId, requestSha256, leases }) =>
      signResponse({
        iss: ISSUER,
        room: controlRoom,
        nonce,
        license: licenseId,
        request: requestSha256,
        leases: leases.map(({ token }) => token),
        iat: Math.floor(Math.max(...leases.map(({ nowMs }) => nowMs)) / 1_000),
        exp: Math.floor(Math.min(...leases.map(({ lease }) => lease.expiresAtMs)) / 1_000),
      }),
    signReceipt: ({ controlRoom, nonce, licenseId, leaseIds }) =>
      signReceipt({ iss: ISSUER, room: controlRoom, nonce, license: licenseId, leases: leaseIds }),
    leaseIdsOf: (response) => {
      const { leases } = payloadOf(response) as { leases: string[] };
      return leases.map((token) => (payloadOf(token) as { jti: string }).jti);
    },
  };
}

/** Decodes without verification. Callers pass only responses from the license database, which this deployment signed. */
function payloadOf(jws: string): unknown {
  return JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8'));
}
