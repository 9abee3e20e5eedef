import type { BenchServers } from './servers';

/** Measures the share of checkouts that waited for the follower, from the servers' own counters. */
export class WaitShareMeter {
  readonly #servers: BenchServers;
  #started: Promise<number> | undefined;
  #ended: Promise<number> | undefined;

  constructor(servers: BenchServers) {
    this.#servers = servers;
  }

  begin(): void {
    this.#started = this.#servers.answersThatWaited();
  }

  end(): void {
    this.#ended = this.#servers.answersThatWaited();
  }

  /** Both counters are read slightly late, so the share is limited to 1. */
  async share(checkouts: number): Promise<number> {
    const [started = 0, ended = 0] = await Promise.all([this.#started, this.#ended]);
    return checkouts === 0 ? Number.NaN : Math.min(1, (ended - started) / checkouts);
  }
}
