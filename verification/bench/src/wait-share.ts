import type { BenchServers } from './servers';

/** How many checkouts of a measured stretch waited for the follower, as the servers count them. */
export class Waits {
  readonly #servers: BenchServers;
  #begun: Promise<number> | undefined;
  #ended: Promise<number> | undefined;

  constructor(servers: BenchServers) {
    this.#servers = servers;
  }

  begin(): void {
    this.#begun = this.#servers.answersThatWaited();
  }

  end(): void {
    this.#ended = this.#servers.answersThatWaited();
  }

  /** The stretch's ends are read a moment late; of the checkouts at the most all have waited. */
  async share(checkouts: number): Promise<number> {
    const [begun = 0, ended = 0] = await Promise.all([this.#begun, this.#ended]);
    return checkouts === 0 ? Number.NaN : Math.min(1, (ended - begun) / checkouts);
  }
}
