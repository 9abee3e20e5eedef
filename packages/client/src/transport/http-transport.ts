import type { ClientClock } from '../time/clock';
import type { ClientCall, ResponseRecord, SendTerms, Transport, TransportResult } from './call';
import { retryAfterMs } from './retry-after';

export type Fetch = typeof globalThis.fetch;

export interface HttpTransportOptions {
  /** The bearer token. */
  readonly token: () => string | undefined;
  readonly fetch: Fetch;
  readonly clock: ClientClock;
  readonly onResponse: (record: ResponseRecord) => void;
}

function failureOf(error: unknown): string {
  const { message, cause } = error as Error & { cause?: { code?: unknown } };
  return typeof cause?.code === 'string' ? cause.code : message;
}

function parsed(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const asRecord = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

/** Aborts a request at its time-out or when its caller stops it. */
class RequestLimit {
  readonly #controller = new AbortController();
  readonly #cancel: () => void;
  readonly #stop: AbortSignal;
  readonly #onStop = (): void => this.#abort('stopped');
  #reason: string | undefined;

  constructor({ timeoutMs, stop }: SendTerms, clock: ClientClock) {
    this.#cancel = clock.after(timeoutMs, () => this.#abort('timeout'), { background: true });
    this.#stop = stop;
    if (stop.aborted) this.#onStop();
    else stop.addEventListener('abort', this.#onStop);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Reason of the abort; undefined when the request was not aborted. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** Removes the timer and the listener: the signal lives as long as the client. */
  lift(): void {
    this.#cancel();
    this.#stop.removeEventListener('abort', this.#onStop);
  }

  #abort(reason: string): void {
    this.#reason ??= reason;
    this.#controller.abort();
  }
}

/** Sends requests over HTTP with the bearer token. Callers pass only addresses that may receive the token. */
export class HttpTransport implements Transport {
  readonly #options: HttpTransportOptions;

  constructor(options: HttpTransportOptions) {
    this.#options = options;
  }

  /** Sends once. `timeoutMs` covers the request until the body is complete. Never rejects. */
  async send(call: ClientCall, address: string, terms: SendTerms): Promise<TransportResult> {
    const { kind, method, path, body, anonymous, leaseId, product, feature, seats } = call;
    const { clock, token } = this.#options;
    const url = `${address}${path}`;
    const at = clock.wallMs();
    const sentAtMs = clock.nowMs();
    const record = (rest: Pick<ResponseRecord, 'status' | 'error' | 'body'>): void => {
      const receivedAtMs = clock.nowMs();
      const durationMs = receivedAtMs - sentAtMs;
      const about = { kind, method, url, leaseId, product, feature, seats };
      this.#options.onResponse({ ...about, at, sentAtMs, receivedAtMs, durationMs, ...rest });
    };
    const bearer = anonymous ? undefined : token();
    const limit = new RequestLimit(terms, clock);
    try {
      const response = await this.#options.fetch(url, {
        method,
        headers: {
          ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
          ...(body ? { 'content-type': 'application/json' } : {}),
        },
        ...(body ? { body: JSON.stringify(body) } : {}),
        // An HTTP redirect could send the token to another host.
        redirect: 'manual',
        signal: limit.signal,
      });
      const content = parsed(await response.text());
      record({ status: response.status, body: content });
      const serverDateMs = Date.parse(response.headers.get('date') ?? '');
      return {
        kind: 'response',
        status: response.status,
        body: asRecord(content),
        retryAfterMs: retryAfterMs(response.headers.get('retry-after'), at),
        serverDateMs: Number.isNaN(serverDateMs) ? undefined : serverDateMs,
        sentAtMs,
      };
    } catch (error) {
      const reason = limit.reason ?? failureOf(error);
      record({ error: reason });
      return { kind: 'no_response', reason };
    } finally {
      limit.lift();
    }
  }
}
