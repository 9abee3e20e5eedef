import { connect } from 'node:net';
import type { Region } from '@evergrant/core/regions';
import { type Fact, unknown } from '../core/facts';
import type { AppProbe } from '../ports';

export interface EgressCheckedAppProbeOptions {
  readonly probe: AppProbe;
  /** Somewhere in a third region that is up when the world is: whoever cannot reach it is cut off itself. */
  readonly canary: { readonly host: string; readonly port: number };
  readonly timeoutMs: number;
}

/** A region that looks down through our own broken egress is not down, but unknown: before saying so, egress is tried. */
export class EgressCheckedAppProbe implements AppProbe {
  readonly #options: EgressCheckedAppProbeOptions;

  constructor(options: EgressCheckedAppProbeOptions) {
    this.#options = options;
  }

  async probe(region: Region): Promise<Fact> {
    const fact = await this.#options.probe.probe(region);
    if (fact.reading !== 'down' || (await this.#hasEgress())) return fact;
    return unknown(`we reach nothing outside, so it cannot be said: ${fact.reason}`);
  }

  #hasEgress(): Promise<boolean> {
    const { canary, timeoutMs } = this.#options;
    return new Promise((resolve) => {
      const socket = connect(canary);
      // A socket's own time-out would not keep the process waiting for it.
      const timer = setTimeout(() => end(false), timeoutMs);
      const end = (reached: boolean): void => {
        clearTimeout(timer);
        socket.destroy();
        resolve(reached);
      };
      socket.once('connect', () => end(true));
      // Refused or reset is an answer all the same.
      socket.once('error', (error: NodeJS.ErrnoException) =>
        end(error.code === 'ECONNREFUSED' || error.code === 'ECONNRESET'),
      );
    });
  }
}
