import { retryAfterMs } from './backoff';

/** One call of the contract. */
export interface Call {
  readonly kind: 'checkout' | 'heartbeat' | 'release' | 'status';
  readonly method: 'PUT' | 'POST' | 'DELETE' | 'GET';
  readonly path: string;
  readonly body?: Readonly<Record<string, unknown>> | undefined;
  /** What the call is about, told to whoever watches the responses. */
  readonly leaseId?: string | undefined;
  readonly product?: string | undefined;
  readonly feature?: string | undefined;
  readonly seats?: number | undefined;
}

/** Every response, and every failure to get one, as the client saw it. */
export interface ResponseRecord {
  readonly kind: Call['kind'];
  readonly method: Call['method'];
  readonly url: string;
  readonly leaseId?: string | undefined;
  readonly product?: string | undefined;
  readonly feature?: string | undefined;
  readonly seats?: number | undefined;
  /** When the request was sent, by the wall clock, in milliseconds since 1970. */
  readonly at: number;
  /** When it was sent and when the response was complete (or given up), on this machine's monotonic clock. */
  readonly sentAtMs: number;
  readonly receivedAtMs: number;
  readonly durationMs: number;
  /** The HTTP status; undefined when no response came. */
  readonly status?: number | undefined;
  /** Why no response came. */
  readonly error?: string | undefined;
  /** The parsed body; undefined when there was none or it was not JSON. */
  readonly body?: unknown;
}

export type Answer =
  | {
      readonly kind: 'response';
      readonly status: number;
      readonly body: Readonly<Record<string, unknown>>;
      readonly retryAfterMs: number | undefined;
      /** The server's `Date` header in milliseconds since 1970, to the second; undefined when there was none. */
      readonly serverDateMs: number | undefined;
      readonly sentAtMs: number;
    }
  | { readonly kind: 'no-response'; readonly because: string };

export type Fetch = typeof globalThis.fetch;

export interface SendTerms {
  readonly timeoutMs: number;
  readonly stop: AbortSignal;
}

export interface TransportOptions {
  readonly token: string;
  readonly fetch: Fetch;
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
class Limit {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #stop: AbortSignal;
  readonly #onStop = (): void => this.#abort('stopped');
  #because: string | undefined;

  constructor(timeoutMs: number, stop: AbortSignal) {
    this.#timer = setTimeout(() => this.#abort('timeout'), timeoutMs).unref();
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
    clearTimeout(this.#timer);
    this.#stop.removeEventListener('abort', this.#onStop);
  }

  #abort(because: string): void {
    this.#because ??= because;
    this.#controller.abort();
  }
}

/** Sends calls with the bearer token. It is only ever given addresses that may see the token. */
export class Transport {
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  /** Sends once, for at most `timeoutMs` until the whole body is there, or until `stop`. Never rejects. */
  async send(call: Call, address: string, { timeoutMs, stop }: SendTerms): Promise<Answer> {
    const { kind, method, path, body, leaseId, product, feature, seats } = call;
    const url = `${address}${path}`;
    const at = Date.now();
    const sentAtMs = performance.now();
    const record = (rest: Pick<ResponseRecord, 'status' | 'error' | 'body'>): void => {
      const receivedAtMs = performance.now();
      const durationMs = receivedAtMs - sentAtMs;
      const about = { kind, method, url, leaseId, product, feature, seats };
      this.#options.onResponse({ ...about, at, sentAtMs, receivedAtMs, durationMs, ...rest });
    };
    const limit = new Limit(timeoutMs, stop);
    try {
      const response = await this.#options.fetch(url, {
        method,
        headers: {
          // Who asks for a status shows no token: it is for everyone to read.
          ...(kind === 'status' ? {} : { authorization: `Bearer ${this.#options.token}` }),
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
      return { kind: 'no-response', because };
    } finally {
      limit.lift();
    }
  }
}
