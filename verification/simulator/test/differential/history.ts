import { randomUUID } from 'node:crypto';
import type { Entitlement } from '@evergrant/server/granting/core/entitlement';
import type { GrantRequest } from '@evergrant/server/granting/core/grant';
import type { LeaseClaim } from '@evergrant/server/granting/core/lease';
import type { PlaceClaim } from '@evergrant/server/queue/core/queue';
import type { Random } from '../../src/time/random';
import { BORROW_SECONDS_MAX, type Twin } from './twins';

/** What happens next, drawn from a seed: the same call for whichever of the two. */
export class History {
  readonly #random: Random;
  readonly #names: Pick<Entitlement, 'licenseId' | 'product' | 'feature'>;
  readonly #leases: string[] = [];
  #epoch = 0;

  constructor(random: Random, names: Pick<Entitlement, 'licenseId' | 'product' | 'feature'>) {
    this.#random = random;
    this.#names = names;
  }

  next(): { name: string; ask: (twin: Twin) => Promise<unknown> } {
    const draw = this.#random.next();
    if (this.#epoch === 0 || draw < 0.06) return this.#opening();
    // An old server may still ask for the epoch before.
    const epoch = this.#random.chance(0.95) ? this.#epoch : this.#epoch - 1;
    const leaseId = this.#lease();
    if (draw < 0.5) {
      const requests = Array.from({ length: this.#random.int(1, 3) }, () => this.#request());
      const ackedSeq = this.#random.int(0, 3);
      return { name: `grant ${JSON.stringify(requests)}`, ask: (twin) => twin.grant(requests, ackedSeq, epoch) };
    }
    if (draw < 0.65) {
      const tokenUntilMs = this.#random.chance(0.5) ? this.#claim(leaseId).expiresAtMs : undefined;
      return { name: `renew ${leaseId} ${tokenUntilMs}`, ask: (twin) => twin.renew(leaseId, tokenUntilMs, epoch) };
    }
    if (draw < 0.8) {
      const claim = this.#random.chance(0.5) ? this.#claim(leaseId) : undefined;
      return { name: `release ${leaseId}`, ask: (twin) => twin.release(leaseId, claim, epoch) };
    }
    if (draw < 0.88) {
      // What ends in a minute is live, and in doubt when an epoch opens.
      const seconds = this.#random.pick([-1, 60]);
      return { name: `${leaseId} ends in ${seconds} s`, ask: (twin) => twin.endIn(leaseId, seconds) };
    }
    if (draw < 0.95) return { name: 'expire', ask: (twin) => twin.expire(epoch) };
    return { name: 'the waiting is over', ask: (twin) => twin.endWaiting() };
  }

  #opening(): { name: string; ask: (twin: Twin) => Promise<unknown> } {
    const closes = this.#epoch > 0 && this.#random.chance(0.3) ? this.#epoch : undefined;
    const unprotected = this.#epoch > 0 && this.#random.chance(0.3) ? this.#epoch : undefined;
    // Now and then an epoch is skipped: it was opened elsewhere. Now and then somebody opens one that is known.
    this.#epoch += this.#epoch === 0 ? 1 : this.#random.pick([0, 1, 1, 1, 2]);
    const epoch = this.#epoch;
    return {
      name: `open ${epoch}${closes ? ` after ${closes} was closed` : ''}`,
      ask: async (twin) => {
        if (closes !== undefined) await twin.closeEpoch(closes);
        return twin.openEpoch(epoch, unprotected);
      },
    };
  }

  #lease(): string {
    if (this.#leases.length === 0 || this.#random.chance(0.3)) this.#leases.push(randomUUID());
    return this.#random.pick(this.#leases.slice(-8));
  }

  #claim(leaseId: string): LeaseClaim {
    const { licenseId, product, feature } = this.#names;
    const minutes = this.#random.pick([-30, -3, 5, 9]);
    return {
      ...{ leaseId, licenseId, product, feature, holder: 'room', controlRoom: undefined, identity: undefined },
      ...{ borrowed: this.#random.chance(0.1), seats: this.#random.int(1, 2), seq: 1 },
      ...{ epoch: Math.max(1, this.#epoch - this.#random.int(0, 1)), expiresAtMs: Date.now() + minutes * 60_000 },
    };
  }

  #placeClaim(leaseId: string, seats: number): PlaceClaim {
    const { licenseId, product, feature } = this.#names;
    return {
      ...{ leaseId, licenseId, product, feature, holder: 'room', controlRoom: undefined, identity: undefined },
      ...{ seats, number: this.#random.int(1, 9) },
      epoch: Math.max(1, this.#epoch - this.#random.int(0, 1)),
      expiresAtMs: Date.now() + this.#random.pick([-1_800_000, -30_000, 30_000]),
    };
  }

  #request(): GrantRequest {
    const leaseId = this.#lease();
    const claim = this.#random.chance(0.5) ? this.#claim(leaseId) : undefined;
    const intent = claim && this.#random.chance(0.5) ? 'adopt' : 'checkout';
    const seats = claim && intent === 'adopt' ? claim.seats : this.#random.int(1, 2);
    const borrows = intent === 'checkout' && this.#random.chance(0.15);
    const queues = intent === 'checkout' && this.#random.chance(0.5);
    return {
      ...{ intent, leaseId, seats, holder: 'room', controlRoom: undefined, controlRoomState: 'active' as const },
      ...{ identity: this.#random.chance(0.3) ? `pc-${this.#random.int(1, 3)}` : undefined, grantedBy: 'the test' },
      ...(claim ? { claim } : {}),
      // The longer one outlasts what an opening extends.
      ...(borrows ? { borrowSeconds: this.#random.pick([900, BORROW_SECONDS_MAX]) } : {}),
      ...(queues ? { queue: true } : {}),
      ...(queues && this.#random.chance(0.3) ? { placeClaim: this.#placeClaim(leaseId, seats) } : {}),
    };
  }
}
