import { type Fact, unknown } from '@evergrant/controller/core/facts';
import type { WitnessPort } from '@evergrant/controller/ports';
import { CallFailure, call } from '@evergrant/controller/probes/http-call';
import type { Region } from '@evergrant/core/regions';

/** Reads the last observation of the witness process in Ohio, if it is fresh. Every failure returns `unknown`. */
export class WitnessView implements WitnessPort {
  readonly #options: { readonly url: string; readonly timeoutMs: number; readonly ageMaxMs: number };

  constructor(options: { readonly url: string; readonly timeoutMs: number; readonly ageMaxMs: number }) {
    this.#options = options;
  }

  async view(region: Region): Promise<Fact> {
    const { url, timeoutMs, ageMaxMs } = this.#options;
    try {
      const { status, json } = await call({ method: 'GET', url: `${url}/view/${region}`, timeoutMs });
      if (status !== 200) return unknown(`the witness returned ${status}`);
      return viewOf(json, ageMaxMs);
    } catch (failure) {
      if (!(failure instanceof CallFailure)) throw failure;
      return unknown(`the witness does not answer: ${failure.message}`);
    }
  }
}

function viewOf(json: Readonly<Record<string, unknown>> | undefined, ageMaxMs: number): Fact {
  const app = (json?.app ?? {}) as { reading?: unknown; because?: unknown };
  const { reading } = app;
  if (reading !== 'up' && reading !== 'down' && reading !== 'unknown')
    return unknown('the witness returned an unknown reading');
  const ageMs = json?.ageMs;
  if (typeof ageMs !== 'number') return unknown('the witness has no observation yet');
  if (ageMs > ageMaxMs) return unknown(`the last observation of the witness is ${ageMs} ms old`);
  return { reading, reason: `the witness: ${typeof app.because === 'string' ? app.because : reading}` };
}
