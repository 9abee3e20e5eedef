import { connect } from 'node:net';
import type { Region } from '@evergrant/core/regions';
import { type Fact, unknown } from '../core/facts';
import type { AppProbe } from '../ports';

export interface EgressCheckedAppProbeOptions {
  readonly probe: AppProbe;
  /** An endpoint in a third region, independent of both. A controller that cannot reach it has lost its own egress. */
  readonly canary: { readonly host: string; readonly port: number };
  readonly timeoutMs: number;
}

/**
 * Guards the application probe against a loss of our own egress: `down` becomes `unknown` when the egress probe fails.
 */
export class EgressCheckedAppProbe implements AppProbe {
  readonly #options: EgressCheckedAppProbeOptions;

  constructor(options: EgressCheckedAppProbeOptions) {
    this.#options = options;
  }

  async probe(region: Region): Promise<Fact> {
    const fact = await this.#options.probe.probe(region);
    if (fact.reading !== 'down' || (await this.#hasEgress())) return fact;
    return unknown(`the controller has no egress, so the state is unknown: ${fact.reason}`);
  }

  #hasEgress(): Promise<boolean> {
    const { canary, timeoutMs } = this.#options;
    return new Promise((resolve) => {
      const socket = connect(canary);
      // The timeout of the socket does not keep the process waiting.
      const timer = setTimeout(() => end(false), timeoutMs);
      const end = (reached: boolean): void => {
        clearTimeout(timer);
        socket.destroy();
        resolve(reached);
      };
      socket.once('connect', () => end(true));
      // A refused or reset connection also proves egress.
      socket.once('error', (error: NodeJS.ErrnoException) =>
        end(error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET'),
      );
    });
  }
}
