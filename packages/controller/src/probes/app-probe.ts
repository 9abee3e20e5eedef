import { setTimeout as wait } from 'node:timers/promises';
import type { Region } from '@evergrant/core/regions';
import { down, type Fact, unknown, up } from '../core/facts';
import type { AppProbe } from '../ports';
import { type Answer, CallFailure, call } from './http-call';

export interface RouterAppProbeOptions {
  /** Each region's router, by the way on which the controller reaches it. */
  readonly routers: Readonly<Record<Region, string>>;
  /** For one GET. */
  readonly timeoutMs: number;
}

const GETS = 3;
const NOBODY_THERE = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'TIMEOUT', 'BROKEN']);

/**
 * Asks a region's license servers through the region's own router: `GET /livez`, which touches no database. Three
 * GETs, a little apart; one good answer is enough, since the application is down only when no server answers.
 */
export class RouterAppProbe implements AppProbe {
  readonly #options: RouterAppProbeOptions;

  constructor(options: RouterAppProbeOptions) {
    this.#options = options;
  }

  async probe(region: Region): Promise<Fact> {
    const looks = await Promise.all(
      Array.from({ length: GETS }, async (_, index) => {
        await wait((index * this.#options.timeoutMs) / (2 * GETS));
        return this.#look(region);
      }),
    );
    const readings: readonly Fact['reading'][] = ['up', 'unknown', 'down'];
    for (const reading of readings) {
      const found = looks.find((look) => look.reading === reading);
      if (found !== undefined) return found;
    }
    throw new Error('a probe without a look');
  }

  async #look(region: Region): Promise<Fact> {
    const { routers, timeoutMs } = this.#options;
    try {
      return judgeAnswer(await call({ method: 'GET', url: `${routers[region]}/livez`, timeoutMs }));
    } catch (failure) {
      if (!(failure instanceof CallFailure)) throw failure;
      return NOBODY_THERE.has(failure.code) ? down(failure.message) : unknown(failure.message);
    }
  }
}

/** A 5xx is the region's own word that nobody is there; a fence, a 401, a 404 are answers to a wrong question. */
function judgeAnswer({ status, json }: Answer): Fact {
  const code = typeof json?.code === 'string' ? json.code : null;
  if (status === 200) return up('a license server answers');
  if (code === 'not_granting') return unknown('a fence answered instead of a license server');
  if (status >= 500) return down(`the router answers ${status}${code === null ? '' : ` ${code}`}`);
  return unknown(`the router answers ${status}${code === null ? '' : ` ${code}`}`);
}
