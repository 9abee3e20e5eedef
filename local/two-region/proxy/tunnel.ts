import { type OutgoingHttpHeaders, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Socket } from 'node:net';
import { type Exchange, forwardedHeaders, returnedHeaders } from './exchange';
import { type Attempt, failed } from './upstream';

/** A connection that an upstream has agreed to speak WebSocket on. */
export interface OpenTunnel {
  readonly kind: 'open';
  /** Those that travel back to the client. */
  readonly headers: OutgoingHttpHeaders;
  readonly socket: Socket;
  /** What the upstream said beyond its agreement. */
  readonly head: Buffer;
}

export interface TunnelOptions {
  readonly url: string;
  /** This hop's name in the `via` header. */
  readonly proxyName: string;
  /** Until the upstream has agreed or refused. */
  readonly timeoutMs: number;
}

/** A refusal larger than this is no answer of Evergrant's. */
const REFUSAL_BYTES_MAX = 64 * 1024;

/** Asks an upstream for an upgrade; never rejects. `answered`: it refused, in words. */
export function openTunnel(exchange: Exchange, options: TunnelOptions): Promise<OpenTunnel | Attempt> {
  const { url, proxyName, timeoutMs } = options;
  const send = new URL(url).protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve) => {
    const asking = send(new URL(url), {
      // A connection of its own: none is kept for later, none is waited for.
      agent: false,
      path: exchange.target,
      headers: [...forwardedHeaders(exchange, proxyName), 'connection', 'Upgrade', 'upgrade', 'websocket'],
    });
    const timer = setTimeout(() => {
      resolve({ kind: 'timed-out', because: `no answer within ${Math.round(timeoutMs)} ms` });
      asking.destroy();
    }, timeoutMs);
    const settle = (outcome: OpenTunnel | Attempt): void => {
      clearTimeout(timer);
      resolve(outcome);
    };
    asking.on('error', (error) => settle(failed(error)));
    asking.on('upgrade', ({ headers }, socket, head) => {
      settle({ kind: 'open', headers: returnedHeaders(headers, proxyName), socket: socket as Socket, head });
    });
    asking.on('response', (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > REFUSAL_BYTES_MAX) asking.destroy(new Error('the answer is too large'));
        else chunks.push(chunk);
      });
      response.on('error', (error) => settle(failed(error)));
      response.on('end', () => {
        const { statusCode: status = 502, headers } = response;
        settle({ kind: 'answered', status, headers, body: Buffer.concat(chunks) });
      });
    });
    asking.end();
  });
}

/** The tunnels that are open, by what they lead to. */
export class Tunnels<To> {
  readonly #open = new Map<To, Set<Socket>>();

  add(to: To, { socket }: OpenTunnel): void {
    const sockets = this.#open.get(to) ?? new Set();
    this.#open.set(to, sockets.add(socket));
    socket.once('close', () => sockets.delete(socket));
  }

  count(to: To): number {
    return this.#open.get(to)?.size ?? 0;
  }

  /** Ends every tunnel to there at once. @returns how many there were. */
  cut(to: To): number {
    const sockets = [...(this.#open.get(to) ?? [])];
    for (const socket of sockets) socket.destroy();
    return sockets.length;
  }

  cutAll(): number {
    return [...this.#open.keys()].reduce((count, to) => count + this.cut(to), 0);
  }
}
