import type { Logger } from 'pino';
import type { Lease, LeaseClaim } from './core/lease';

const ANNOUNCED_EVERY_MS = 1_000;

/** Logs each adoption for the audit, and announces their number once per second: a failover causes hundreds of them. */
export class AdoptionLogger {
  readonly #log: Logger;
  readonly #server: string;
  #leases = 0;
  #seats = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor({ log, server }: { log: Logger; server: string }) {
    this.#log = log;
    this.#server = server;
  }

  add(lease: Lease, claim: LeaseClaim): void {
    const { id: leaseId, holder, seats, epoch } = lease;
    this.#log.info(
      { audit: 'lease_adopted', leaseId, holder, seats, epoch, fromEpoch: claim.epoch },
      'a lease was adopted',
    );
    this.#leases += 1;
    this.#seats += seats;
    this.#timer ??= setTimeout(() => this.#announce(), ANNOUNCED_EVERY_MS).unref();
  }

  #announce(): void {
    this.#log.info({
      announce: `${this.#server} adopted ${this.#leases} leases (${this.#seats} seats) of a lost region`,
    });
    this.#leases = 0;
    this.#seats = 0;
    this.#timer = undefined;
  }
}
