import { down, type Fact, unknown, up } from '@evergrant/controller/core/facts';
import type { Host } from '../topology/host';
import type { Network } from '../topology/network';
import type { HttpAnswer } from './license-server';
import type { Site } from './region';

const LOOK_EVERY_MS = 5_000;
const TIMEOUT_MS = 2_000;
const FAILURES_BEFORE_DOWN = 3;
const STALE_AFTER_MS = 4 * LOOK_EVERY_MS + TIMEOUT_MS;

/** Sees Oregon's application from outside both regions, as packages/local-cluster/src/proxy/observer.ts does. */
export class Witness {
  readonly host: Host;
  readonly #network: Network;
  readonly #site: Site;
  #fact: Fact = unknown('it has not looked yet');
  #failures = 0;
  #seenAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: { host: Host; network: Network; site: Site }) {
    this.host = options.host;
    this.#network = options.network;
    this.#site = options.site;
    void this.look();
  }

  start(): void {
    this.host.start();
    this.#fact = unknown('it has not looked yet');
    this.#failures = 0;
    void this.look();
  }

  view(): Fact {
    return this.host.nowMs() - this.#seenAtMs > STALE_AFTER_MS ? unknown('the last look is too old') : this.#fact;
  }

  async look(): Promise<void> {
    for (;;) {
      const answer = await this.#network.askHost<HttpAnswer | undefined>(this.host, this.#site.router, {
        ...{ timeoutMs: TIMEOUT_MS, late: undefined, refused: undefined },
        serve: (reply) => void this.#site.route({ kind: 'livez' }).then(reply),
      });
      this.#seenAtMs = this.host.nowMs();
      this.#judge(answer);
      await this.host.wait(LOOK_EVERY_MS);
    }
  }

  #judge(answer: HttpAnswer | undefined): void {
    const fenced = answer?.body.code === 'not_granting';
    if (fenced) this.#fact = unknown('a fence answered');
    if (answer?.status === 200) this.#fact = up('a license server answers');
    if (fenced || answer?.status === 200) {
      this.#failures = 0;
      return;
    }
    this.#failures += 1;
    if (this.#failures >= FAILURES_BEFORE_DOWN) this.#fact = down('nobody answers');
    else if (this.#fact.reading !== 'down') this.#fact = unknown('an answer was lost');
  }
}
