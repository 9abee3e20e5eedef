import type { IncomingHttpHeaders } from 'node:http';
import { type Dispatcher, Pool } from 'undici';
import { forwardedHeaders, type RequestContext } from './request-context';
import type { UpstreamTls } from './upstream-tls';

/**
 * The outcome of one attempt at one upstream.
 *
 * - `refused`: no connection was made, so the upstream did not receive the request;
 * - `broken`: the connection failed after the request was sent, so the outcome of the request is unknown;
 * - `timed_out`: no complete answer arrived in time; the outcome is unknown, too.
 */
export type Attempt =
  | { readonly kind: 'answered'; readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: Buffer }
  | { readonly kind: 'refused' | 'broken' | 'timed_out'; readonly reason: string };

export interface UpstreamOptions {
  readonly url: string;
  /** The name of this hop in the `via` header. */
  readonly proxyName: string;
  readonly connectTimeoutMs: number;
  /** @default the certificate authorities of the system */
  readonly tls?: UpstreamTls | undefined;
}

/** No answer of Evergrant is larger than this. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

const REFUSALS = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EADDRNOTAVAIL']);

/** Classifies a connection error. */
export function failed(error: Error): Attempt {
  const code = (error as NodeJS.ErrnoException).code ?? error.name;
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return { kind: 'timed_out', reason: 'no connection in time' };
  return { kind: REFUSALS.has(code) ? 'refused' : 'broken', reason: code };
}

/** Reads one answer. Settles exactly once, whatever undici, the deadline or the peer does afterwards. */
class AttemptReader implements Dispatcher.DispatchHandler {
  readonly #settle: (attempt: Attempt) => void;
  readonly #timer: NodeJS.Timeout;
  #controller: Dispatcher.DispatchController | undefined;
  #settled = false;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(timeoutMs: number, settle: (attempt: Attempt) => void) {
    this.#settle = settle;
    this.#timer = setTimeout(
      () => this.abandon('timed_out', `no answer within ${Math.round(timeoutMs)} ms`),
      timeoutMs,
    );
  }

  abandon(kind: 'timed_out' | 'broken', reason: string): void {
    this.#finish({ kind, reason });
    this.#controller?.abort(new Error(reason));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // The deadline can pass while the request waits for a connection. Then it is not sent.
    if (this.#settled) controller.abort(new Error('the deadline has passed'));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > ANSWER_BYTES_MAX) this.abandon('broken', 'the answer is too large');
  }

  onResponseEnd(): void {
    const body = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    this.#finish({ kind: 'answered', status: this.#status, headers: this.#headers, body });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#finish(failed(error));
  }

  #finish(attempt: Attempt): void {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#settle(attempt);
  }
}

/** One server behind a proxy. Connections are reused, and every attempt has one deadline for its whole length. */
export class Upstream {
  readonly url: string;
  readonly #pool: Pool;
  readonly #proxyName: string;
  readonly #outstanding = new Set<AttemptReader>();

  constructor({ url, proxyName, connectTimeoutMs, tls }: UpstreamOptions) {
    this.url = url;
    this.#proxyName = proxyName;
    // The attempt's deadline covers connecting, waiting and reading. undici's own timers have a resolution of 0.5 s.
    this.#pool = new Pool(url, { connect: { timeout: connectTimeoutMs, ...tls }, headersTimeout: 0, bodyTimeout: 0 });
  }

  /** The number of requests sent and not yet answered. */
  get outstanding(): number {
    return this.#outstanding.size;
  }

  /** Makes one attempt. Never rejects. */
  forward(request: RequestContext, timeoutMs: number): Promise<Attempt> {
    return new Promise<Attempt>((resolve) => {
      const reader = new AttemptReader(timeoutMs, (attempt) => {
        this.#outstanding.delete(reader);
        resolve(attempt);
      });
      this.#outstanding.add(reader);
      try {
        this.#pool.dispatch(
          {
            method: request.method as Dispatcher.HttpMethod,
            path: request.target,
            headers: forwardedHeaders(request, this.#proxyName),
            body: request.body ?? null,
          },
          reader,
        );
      } catch (error) {
        reader.abandon('broken', (error as Error).message);
      }
    });
  }

  /** Ends every outstanding attempt as `timed_out`. */
  abandonOutstanding(reason: string): void {
    for (const reader of [...this.#outstanding]) reader.abandon('timed_out', reason);
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}
