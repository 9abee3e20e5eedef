import { down, type Fact, unknown, up } from '@evergrant/controller/core/facts';
import type { Host } from '../topology/host';
import type { Network } from '../topology/network';
import type { HttpAnswer } from './http';
import type { SimulatedRegion } from './region';

const PROBE_EVERY_MS = 5_000;
const TIMEOUT_MS = 2_000;
const FAILURES_BEFORE_DOWN = 3;
const STALE_AFTER_MS = 4 * PROBE_EVERY_MS + TIMEOUT_MS;

/** Probes Oregon's application from outside both regions, like packages/local-cluster/src/proxy/observer.ts. */
export class Witness {
  readonly host: Host;
  readonly #network: Network;
  readonly #simulatedRegion: SimulatedRegion;
  #fact: Fact = unknown('no probe yet');
  #failures = 0;
  #seenAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: { host: Host; network: Network; simulatedRegion: SimulatedRegion }) {
    this.host = options.host;
    this.#network = options.network;
    this.#simulatedRegion = options.simulatedRegion;
    void this.#probe();
  }

  start(): void {
    this.host.start();
    this.#fact = unknown('no probe yet');
    this.#failures = 0;
    void this.#probe();
  }

  view(): Fact {
    return this.host.nowMs() - this.#seenAtMs > STALE_AFTER_MS ? unknown('the last probe is too old') : this.#fact;
  }

  async #probe(): Promise<void> {
    for (;;) {
      const answer = await this.#network.askHost<HttpAnswer | undefined>(this.host, this.#simulatedRegion.router, {
        timeoutMs: TIMEOUT_MS,
        late: undefined,
        refused: undefined,
        serve: (reply) => void this.#simulatedRegion.route({ kind: 'livez' }).then(reply),
      });
      this.#seenAtMs = this.host.nowMs();
      this.#judge(answer);
      await this.host.wait(PROBE_EVERY_MS);
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
    if (this.#failures >= FAILURES_BEFORE_DOWN) this.#fact = down('no server answers');
    else if (this.#fact.reading !== 'down') this.#fact = unknown('no answer to the last probe');
  }
}
