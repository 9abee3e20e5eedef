import { Agent, fetch as fetchThrough } from 'undici';
import type { UpstreamTls } from './upstream-tls';

/**
 * Watches one address's `GET /livez`. The router watches its servers with it, the witness watches Oregon.
 */

export type LivenessState = 'up' | 'down' | 'unknown';

export type ProbeResult =
  | { readonly kind: 'answered' }
  | { readonly kind: 'failed'; readonly because: string; readonly refused: boolean }
  /** Our own trouble, or an answer that only a wrong configuration gives: evidence of nothing. */
  | { readonly kind: 'inconclusive'; readonly because: string };

export interface LivenessOptions {
  /** The whole address that is asked, for example `http://127.0.0.1:8081/livez`. */
  readonly url: string;
  readonly everyMs: number;
  readonly timeoutMs: number;
  readonly tls?: UpstreamTls | undefined;
  /** Failures in a row before it is down: one lost packet is no death. */
  readonly failuresBeforeDown: number;
  /** A refused connection is a dead process, not a lost packet: for a router on the same network that is enough. */
  readonly downOnRefusal: boolean;
  readonly onChange?: (now: LivenessState, before: LivenessState, because: string) => void;
}

const OUR_OWN_TROUBLE = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EACCES', 'EPERM']);

function errorCode(error: unknown): string {
  const { cause, name } = error as Error & { cause?: NodeJS.ErrnoException };
  if (name === 'TimeoutError') return 'no answer in time';
  return cause?.code ?? cause?.message ?? (error as Error).message;
}

/** Asks once. Never rejects. */
export async function probe(url: string, timeoutMs: number, agent?: Agent): Promise<ProbeResult> {
  try {
    const options = { signal: AbortSignal.timeout(timeoutMs), redirect: 'manual' } as const;
    const response = await (agent ? fetchThrough(url, { ...options, dispatcher: agent }) : fetch(url, options));
    await response.arrayBuffer();
    if (response.ok) return { kind: 'answered' };
    const because = `answered ${response.status}`;
    return response.status >= 500
      ? { kind: 'failed', because, refused: false }
      : { kind: 'inconclusive', because: `${because}, which says nothing about life` };
  } catch (error) {
    const because = errorCode(error);
    if (OUR_OWN_TROUBLE.has(because)) return { kind: 'inconclusive', because };
    return { kind: 'failed', because, refused: because === 'ECONNREFUSED' };
  }
}

export class Liveness {
  readonly #options: LivenessOptions;
  readonly #agent: Agent | undefined;
  #reading: LivenessState = 'unknown';
  #because = 'not probed yet';
  #failures = 0;
  #observedAt: Date | undefined;
  #observedAtMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #probing: Promise<void> | undefined;
  #stopped = true;

  constructor(options: LivenessOptions) {
    this.#options = options;
    this.#agent = options.tls && new Agent({ connect: { ...options.tls } });
  }

  get reading(): LivenessState {
    return this.#reading;
  }

  get because(): string {
    return this.#because;
  }

  /** When the last probe ended, by the wall clock; undefined before the first. */
  get observedAt(): Date | undefined {
    return this.#observedAt;
  }

  /** How old the last probe's result is, measured monotonically; undefined before the first. */
  ageMs(): number | undefined {
    return this.#observedAt === undefined ? undefined : performance.now() - this.#observedAtMs;
  }

  start(): void {
    this.#stopped = false;
    this.probeNow();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    void this.#agent?.destroy();
  }

  /** Asks at once instead of at the next interval; while a probe is on its way, that one is enough. */
  probeNow(): void {
    if (this.#stopped || this.#probing) return;
    clearTimeout(this.#timer);
    this.#probing = this.#probeOnce().finally(() => {
      this.#probing = undefined;
      if (!this.#stopped) this.#timer = setTimeout(() => this.probeNow(), this.#options.everyMs);
    });
  }

  /** Passive evidence: a request found nobody there. Down until a probe is answered. */
  refused(because: string): void {
    this.#become('down', because);
    this.probeNow();
  }

  /**
   * Passive evidence of a weaker kind: a request got no answer. The server may be dead, or only what it works with; a
   * dead database must never look like dead servers, so only the probe may say "down".
   */
  doubt(because: string): void {
    if (this.#reading === 'up') this.#become('unknown', because);
    this.probeNow();
  }

  async #probeOnce(): Promise<void> {
    const result = await probe(this.#options.url, this.#options.timeoutMs, this.#agent);
    this.#observedAt = new Date();
    this.#observedAtMs = performance.now();
    this.#consider(result);
  }

  #consider(result: ProbeResult): void {
    const { failuresBeforeDown, downOnRefusal } = this.#options;
    switch (result.kind) {
      case 'answered':
        this.#failures = 0;
        this.#become('up', 'answered');
        break;
      case 'inconclusive':
        this.#become('unknown', result.because);
        break;
      case 'failed': {
        this.#failures += 1;
        const dead = this.#failures >= failuresBeforeDown || (downOnRefusal && result.refused);
        const doubt = `${result.because} (${this.#failures} of ${failuresBeforeDown} failures)`;
        // A doubt between: no longer evidence of life, not yet of death. What was down stays down.
        if (dead || this.#reading === 'down') this.#become('down', result.because);
        else this.#become('unknown', doubt);
      }
    }
  }

  #become(reading: LivenessState, because: string): void {
    const before = this.#reading;
    this.#reading = reading;
    this.#because = because;
    if (reading !== before) this.#options.onChange?.(reading, before, because);
  }
}
