import { randomUUID } from 'node:crypto';
import type { Entitlement } from '@evergrant/server/granting/core/entitlement';
import type { GrantRequest } from '@evergrant/server/granting/core/grant';
import type { LeaseClaim } from '@evergrant/server/granting/core/lease';
import type { PlaceClaim } from '@evergrant/server/queue/core/queue';
import type { Random } from '../../src/time/random';
import { BORROW_SECONDS_MAX, type DatabaseUnderTest } from './database-pair';

/** Draws the calls of a history from a seed; each call can be applied to either database. */
export class History {
  readonly #random: Random;
  readonly #names: Pick<Entitlement, 'licenseId' | 'product' | 'feature'>;
  readonly #leases: string[] = [];
  #epoch = 0;

  constructor(random: Random, names: Pick<Entitlement, 'licenseId' | 'product' | 'feature'>) {
    this.#random = random;
    this.#names = names;
  }

  next(): { name: string; apply: (database: DatabaseUnderTest) => Promise<unknown> } {
    const draw = this.#random.next();
    if (this.#epoch === 0 || draw < 0.06) return this.#opening();
    // A server with old state may still use the previous epoch.
    const epoch = this.#random.chance(0.95) ? this.#epoch : this.#epoch - 1;
    const leaseId = this.#lease();
    if (draw < 0.5) {
      const requests = Array.from({ length: this.#random.int(1, 3) }, () => this.#request());
      const ackedSeq = this.#random.int(0, 3);
      return {
        name: `grant ${JSON.stringify(requests)}`,
        apply: (database) => database.grant(requests, ackedSeq, epoch),
      };
    }
    if (draw < 0.65) {
      const tokenUntilMs = this.#random.chance(0.5) ? this.#claim(leaseId).expiresAtMs : undefined;
      return {
        name: `renew ${leaseId} ${tokenUntilMs}`,
        apply: (database) => database.renew(leaseId, tokenUntilMs, epoch),
      };
    }
    if (draw < 0.8) {
      const claim = this.#random.chance(0.5) ? this.#claim(leaseId) : undefined;
      return { name: `release ${leaseId}`, apply: (database) => database.release(leaseId, claim, epoch) };
    }
    if (draw < 0.88) {
      // A lease that ends in a minute is live, and in doubt when an epoch opens.
      const seconds = this.#random.pick([-1, 60]);
      return { name: `${leaseId} ends in ${seconds} s`, apply: (database) => database.endIn(leaseId, seconds) };
    }
    if (draw < 0.95) return { name: 'expire', apply: (database) => database.expire(epoch) };
    return { name: 'end the hold-back', apply: (database) => database.endWaiting() };
  }

  #opening(): { name: string; apply: (database: DatabaseUnderTest) => Promise<unknown> } {
    const closes = this.#epoch > 0 && this.#random.chance(0.3) ? this.#epoch : undefined;
    const unprotected = this.#epoch > 0 && this.#random.chance(0.3) ? this.#epoch : undefined;
    // An epoch may be skipped, because it was opened elsewhere, or opened again.
    this.#epoch += this.#epoch === 0 ? 1 : this.#random.pick([0, 1, 1, 1, 2]);
    const epoch = this.#epoch;
    return {
      name: `open ${epoch}${closes ? ` after ${closes} was closed` : ''}`,
      apply: async (database) => {
        if (closes !== undefined) await database.closeEpoch(closes);
        return database.openEpoch(epoch, unprotected);
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
      leaseId,
      licenseId,
      product,
      feature,
      holder: 'room',
      controlRoom: undefined,
      identity: undefined,
      borrowed: this.#random.chance(0.1),
      seats: this.#random.int(1, 2),
      seq: 1,
      epoch: Math.max(1, this.#epoch - this.#random.int(0, 1)),
      expiresAtMs: Date.now() + minutes * 60_000,
    };
  }

  #placeClaim(leaseId: string, seats: number): PlaceClaim {
    const { licenseId, product, feature } = this.#names;
    return {
      leaseId,
      licenseId,
      product,
      feature,
      holder: 'room',
      controlRoom: undefined,
      identity: undefined,
      seats,
      number: this.#random.int(1, 9),
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
      intent,
      leaseId,
      seats,
      holder: 'room',
      controlRoom: undefined,
      controlRoomState: 'active' as const,
      identity: this.#random.chance(0.3) ? `pc-${this.#random.int(1, 3)}` : undefined,
      grantedBy: 'the test',
      ...(claim ? { claim } : {}),
      // The longer borrow outlasts the extension of an opening.
      ...(borrows ? { borrowSeconds: this.#random.pick([900, BORROW_SECONDS_MAX]) } : {}),
      ...(queues ? { queue: true } : {}),
      ...(queues && this.#random.chance(0.3) ? { placeClaim: this.#placeClaim(leaseId, seats) } : {}),
    };
  }
}
