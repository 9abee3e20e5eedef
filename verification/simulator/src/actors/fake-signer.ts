import type { LeaseClaim } from '@evergrant/server/granting/core/lease';
import type { LeaseTokens } from '@evergrant/server/granting/lease-tokens';
import type { PlaceClaim } from '@evergrant/server/queue/core/queue';
import type { DisabledRules } from '../mutations';

interface Issued {
  readonly claim: LeaseClaim;
  readonly issuedAtMs: number;
}

/**
 * Lease tokens without cryptography: a token is the number of a stored claim, and only issued numbers verify. Both regions
 * share one signer.
 */
export class FakeSigner {
  readonly #leases: Issued[] = [];
  readonly #places: PlaceClaim[] = [];
  readonly #disabled: DisabledRules;

  constructor(disabled: DisabledRules) {
    this.#disabled = disabled;
  }

  /** The claim of an issued lease token; undefined for any other value. */
  read(token: unknown): Issued | undefined {
    return typeof token === 'string' && token.startsWith('lease ') ? this.#leases[Number(token.slice(6))] : undefined;
  }

  readonly tokens: LeaseTokens = {
    jwks: { keys: [] },
    sign: async (lease, pool, { atMs: issuedAtMs }) => {
      const { id: leaseId, holder, controlRoom, identity, borrowed, seats, seq, epoch, expiresAtMs, handover } = lease;
      const { licenseId, product, feature } = pool;
      const claim = { leaseId, licenseId, product, feature, holder, controlRoom, identity, borrowed };
      this.#leases.push({ claim: { ...claim, seats, seq, epoch, expiresAtMs, handover }, issuedAtMs });
      return `lease ${this.#leases.length - 1}`;
    },
    signPlace: async (place, pool, { epoch }) => {
      const { leaseId, holder, controlRoom, identity, seats, number, expiresAtMs } = place;
      const { licenseId, product, feature } = pool;
      const claim = { leaseId, licenseId, product, feature, holder, controlRoom, identity, seats, number, epoch };
      this.#places.push({ ...claim, expiresAtMs });
      return `place ${this.#places.length - 1}`;
    },
    verifyPlace: async (token) => (token.startsWith('place ') ? this.#places[Number(token.slice(6))] : undefined),
    verify: async (token) => (this.#disabled.has('S3') ? undefined : this.read(token)?.claim),
  };
}
