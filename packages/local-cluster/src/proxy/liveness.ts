import { Agent, fetch as fetchThrough } from 'undici';
import type { UpstreamTls } from './upstream-tls';

/** Probes `GET /livez` of one address. The router probes its servers with it, the witness probes Oregon's router. */

export type LivenessState = 'up' | 'down' | 'unknown';

export interface LivenessChange {
  readonly now: LivenessState;
  readonly before: LivenessState;
  readonly reason: string;
}

export type ProbeResult =
  | { readonly kind: 'answered' }
  | { readonly kind: 'failed'; readonly reason: string; readonly refused: boolean }
  /** A local fault, or an answer that only a wrong configuration gives: no evidence of liveness. */
  | { readonly kind: 'inconclusive'; readonly reason: string };

export interface LivenessOptions {
  /** The probed URL, for example `http://127.0.0.1:8081/livez`. */
  readonly url: string;
  readonly everyMs: number;
  readonly timeoutMs: number;
  readonly tls?: UpstreamTls | undefined;
  /** Consecutive failures before the state is `down`. */
  readonly failuresBeforeDown: number;
  /** A refused connection alone means `down`: on the same network, no process listens there. */
  readonly downOnRefusal: boolean;
  readonly onChange?: (change: LivenessChange) => void;
}

const LOCAL_FAULTS = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EACCES', 'EPERM']);

function errorCode(error: unknown): string {
  const { cause, name } = error as Error & { cause?: NodeJS.ErrnoException };
  if (name === 'TimeoutError') return 'no answer in time';
  return cause?.code ?? cause?.message ?? (error as Error).message;
}

/** Sends one probe. Never rejects. */
export async function probe(url: string, timeoutMs: number, agent?: Agent): Promise<ProbeResult> {
  try {
    const options = { signal: AbortSignal.timeout(timeoutMs), redirect: 'manual' } as const;
    const response = await (agent ? fetchThrough(url, { ...options, dispatcher: agent }) : fetch(url, options));
    await response.arrayBuffer();
    if (response.ok) return { kind: 'answered' };
    const reason = `answered ${response.status}`;
    return response.status >= 500
      ? { kind: 'failed', reason, refused: false }
      : { kind: 'inconclusive', reason: `${reason}, which proves neither life nor death` };
  } catch (error) {
    const reason = errorCode(error);
    if (LOCAL_FAULTS.has(reason)) return { kind: 'inconclusive', reason };
    return { kind: 'failed', reason, refused: reason === 'ECONNREFUSED' };
  }
}

/** The state of one address from periodic probes and from the outcome of requests. */
export class Liveness {
  readonly #options: LivenessOptions;
  readonly #agent: Agent | undefined;
  #state: LivenessState = 'unknown';
  #reason = 'not probed yet';
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

  get state(): LivenessState {
    return this.#state;
  }

  get reason(): string {
    return this.#reason;
  }

  /** Wall-clock time at which the last probe ended; undefined before the first. */
  get observedAt(): Date | undefined {
    return this.#observedAt;
  }

  /** Monotonic age of the last probe result; undefined before the first. */
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

  /** Probes now instead of at the next interval. Does nothing while a probe is in flight. */
  probeNow(): void {
    if (this.#stopped || this.#probing) return;
    clearTimeout(this.#timer);
    this.#probing = this.#probeOnce().finally(() => {
      this.#probing = undefined;
      if (!this.#stopped) this.#timer = setTimeout(() => this.probeNow(), this.#options.everyMs);
    });
  }

  /** Passive evidence: the connection for a request was refused. `down` until a probe is answered. */
  recordRefusal(reason: string): void {
    this.#become('down', reason);
    this.probeNow();
  }

  /**
   * Weaker passive evidence: a request got no answer. The server or its database may be at fault. A dead database must
   * never look like dead servers, so only a probe can set `down`.
   */
  recordNoAnswer(reason: string): void {
    if (this.#state === 'up') this.#become('unknown', reason);
    this.probeNow();
  }

  async #probeOnce(): Promise<void> {
    const result = await probe(this.#options.url, this.#options.timeoutMs, this.#agent);
    this.#observedAt = new Date();
    this.#observedAtMs = performance.now();
    this.#apply(result);
  }

  #apply(result: ProbeResult): void {
    const { failuresBeforeDown, downOnRefusal } = this.#options;
    switch (result.kind) {
      case 'answered':
        this.#failures = 0;
        this.#become('up', 'answered');
        break;
      case 'inconclusive':
        this.#become('unknown', result.reason);
        break;
      case 'failed': {
        this.#failures += 1;
        const isDown = this.#failures >= failuresBeforeDown || (downOnRefusal && result.refused);
        const progress = `${result.reason} (${this.#failures} of ${failuresBeforeDown} failures)`;
        // Before the threshold the state is unknown. A state that is already down stays down.
        if (isDown || this.#state === 'down') this.#become('down', result.reason);
        else this.#become('unknown', progress);
      }
    }
  }

  #become(now: LivenessState, reason: string): void {
    const before = this.#state;
    this.#state = now;
    this.#reason = reason;
    if (now !== before) this.#options.onChange?.({ now, before, reason });
  }
}
