import { setTimeout as wait } from 'node:timers/promises';
import type { Region } from '@evergrant/core/regions';
import { down, type Fact, unknown, up } from '../core/facts';
import type { AppProbe } from '../ports';
import { CallFailure, call, type HttpResponse } from './http-call';

export interface RouterAppProbeOptions {
  /** The address of each region's router. */
  readonly routers: Readonly<Record<Region, string>>;
  /** Time-out of one GET. */
  readonly timeoutMs: number;
}

const GETS = 3;
const UNREACHABLE_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'TIMEOUT',
  'BROKEN',
]);

/**
 * Probes a region's license servers through the region's own router with `GET /livez`, which does not touch the database.
 * It sends three GETs, a little apart. One good answer is enough: the application is down only when no server answers.
 */
export class RouterAppProbe implements AppProbe {
  readonly #options: RouterAppProbeOptions;

  constructor(options: RouterAppProbeOptions) {
    this.#options = options;
  }

  async probe(region: Region): Promise<Fact> {
    const samples = await Promise.all(
      Array.from({ length: GETS }, async (_, index) => {
        await wait((index * this.#options.timeoutMs) / (2 * GETS));
        return this.#sample(region);
      }),
    );
    const readings: readonly Fact['reading'][] = ['up', 'unknown', 'down'];
    for (const reading of readings) {
      const found = samples.find((sample) => sample.reading === reading);
      if (found !== undefined) return found;
    }
    throw new Error('a probe without a sample');
  }

  async #sample(region: Region): Promise<Fact> {
    const { routers, timeoutMs } = this.#options;
    try {
      return judgeAnswer(await call({ method: 'GET', url: `${routers[region]}/livez`, timeoutMs }));
    } catch (failure) {
      if (!(failure instanceof CallFailure)) throw failure;
      return UNREACHABLE_CODES.has(failure.code) ? down(failure.message) : unknown(failure.message);
    }
  }
}

/** A 5xx is evidence that no server answers. A fence, a 401 or a 404 is no evidence about the servers. */
function judgeAnswer({ status, json }: HttpResponse): Fact {
  const code = typeof json?.code === 'string' ? json.code : undefined;
  if (status === 200) return up('a license server answers');
  if (code === 'not_granting') return unknown('the answer comes from a fence, not from a license server');
  if (status >= 500) return down(`the router answers ${status}${code === undefined ? '' : ` ${code}`}`);
  return unknown(`the router answers ${status}${code === undefined ? '' : ` ${code}`}`);
}
