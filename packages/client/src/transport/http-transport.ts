import type { ClientClock } from '../time/clock';
import type { Call, ResponseRecord, SendTerms, Transport, TransportResult } from './call';
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

/** Ends a request when its time is over or whoever asked does not want the answer any more. */
class RequestLimit {
  readonly #controller = new AbortController();
  readonly #cancel: () => void;
  readonly #stop: AbortSignal;
  readonly #onStop = (): void => this.#abort('stopped');
  #because: string | undefined;

  constructor({ timeoutMs, stop }: SendTerms, clock: ClientClock) {
    this.#cancel = clock.after(timeoutMs, () => this.#abort('timeout'), { background: true });
    this.#stop = stop;
    if (stop.aborted) this.#onStop();
    else stop.addEventListener('abort', this.#onStop);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Why it ended the request; undefined when it did not. */
  get because(): string | undefined {
    return this.#because;
  }

  /** The request is over: nothing of it stays behind at a signal that lives as long as the client. */
  lift(): void {
    this.#cancel();
    this.#stop.removeEventListener('abort', this.#onStop);
  }

  #abort(because: string): void {
    this.#because ??= because;
    this.#controller.abort();
  }
}

/** Sends calls with the bearer token. It is only ever given addresses that may see the token. */
export class HttpTransport implements Transport {
  readonly #options: HttpTransportOptions;

  constructor(options: HttpTransportOptions) {
    this.#options = options;
  }

  /** Sends once, for at most `timeoutMs` until the whole body is there, or until `stop`. Never rejects. */
  async send(call: Call, address: string, terms: SendTerms): Promise<TransportResult> {
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
        // A redirect could lead the token anywhere: it is not followed.
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
      const because = limit.because ?? failureOf(error);
      record({ error: because });
      return { kind: 'no_response', because };
    } finally {
      limit.lift();
    }
  }
}
