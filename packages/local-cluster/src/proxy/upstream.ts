import type { IncomingHttpHeaders } from 'node:http';
import { type Dispatcher, Pool } from 'undici';
import { forwardedHeaders, type RequestContext } from './request-context';
import type { UpstreamTls } from './upstream-tls';

/**
 * What became of one try at one upstream.
 *
 * - `refused`: no connection could be made, so the upstream saw nothing of the request;
 * - `broken`: the connection died with the request on it, so whether it was carried out is not known;
 * - `timed-out`: no complete answer in time; not known either.
 */
export type Attempt =
  | { readonly kind: 'answered'; readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: Buffer }
  | { readonly kind: 'refused' | 'broken' | 'timed_out'; readonly because: string };

export interface UpstreamOptions {
  readonly url: string;
  /** This hop's name in the `via` header. */
  readonly proxyName: string;
  readonly connectTimeoutMs: number;
  /** @default as the system trusts */
  readonly tls?: UpstreamTls | undefined;
}

/** An answer larger than this is no answer of Evergrant's. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

const REFUSALS = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EADDRNOTAVAIL']);

/** What an error of a connection says about its upstream. */
export function failed(error: Error): Attempt {
  const code = (error as NodeJS.ErrnoException).code ?? error.name;
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return { kind: 'timed_out', because: 'no connection in time' };
  return { kind: REFUSALS.has(code) ? 'refused' : 'broken', because: code };
}

/** Reads one answer and settles once, whatever undici, the deadline or the peer does afterwards. */
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

  abandon(kind: 'timed_out' | 'broken', because: string): void {
    this.#finish({ kind, because });
    this.#controller?.abort(new Error(because));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // The deadline may have passed while the request was waiting for a connection: it is not sent any more.
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

/** One server behind a proxy, with connections that are kept and a deadline on everything: a hang holds nothing. */
export class Upstream {
  readonly url: string;
  readonly #pool: Pool;
  readonly #proxyName: string;
  #outstanding = 0;

  constructor({ url, proxyName, connectTimeoutMs, tls }: UpstreamOptions) {
    this.url = url;
    this.#proxyName = proxyName;
    // The one deadline of an attempt covers connecting, waiting and reading; undici's own clocks tick in half seconds.
    this.#pool = new Pool(url, { connect: { timeout: connectTimeoutMs, ...tls }, headersTimeout: 0, bodyTimeout: 0 });
  }

  /** Requests sent and not yet answered. */
  get outstanding(): number {
    return this.#outstanding;
  }

  /** Tries once; never rejects. */
  forward(request: RequestContext, timeoutMs: number): Promise<Attempt> {
    this.#outstanding += 1;
    return new Promise<Attempt>((resolve) => {
      const reader = new AttemptReader(timeoutMs, (attempt) => {
        this.#outstanding -= 1;
        resolve(attempt);
      });
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

  async close(): Promise<void> {
    await this.#pool.destroy();
  }
}
