import { type OutgoingHttpHeaders, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { forwardedHeaders, type RequestContext, returnedHeaders } from './request-context';
import { type Attempt, failed } from './upstream';
import type { UpstreamTls } from './upstream-tls';

/** A connection that an upstream has agreed to speak WebSocket on. */
export interface OpenTunnel {
  readonly kind: 'open';
  /** Those that travel back to the client. */
  readonly headers: OutgoingHttpHeaders;
  readonly socket: Socket;
  /** What the upstream said beyond its agreement. */
  readonly head: Buffer;
  /** Who asked for it, once both are joined. */
  client?: Duplex;
}

export interface TunnelOptions {
  readonly url: string;
  /** This hop's name in the `via` header. */
  readonly proxyName: string;
  /** Until the upstream has agreed or refused. */
  readonly timeoutMs: number;
  readonly tls?: UpstreamTls | undefined;
}

/**
 * The close frame of a client that is going away (RFC 6455: code 1001, masked with zeros). A server that gets it knows
 * that somebody on the way ended the session on purpose, and does not take its client for dead.
 */
const GOING_AWAY_FRAME = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]);
const GOING_AWAY_TIMEOUT_MS = 1_000;

/** A refusal larger than this is no answer of Evergrant's. */
const REFUSAL_BYTES_MAX = 64 * 1024;

/** Asks an upstream for an upgrade; never rejects. `answered`: it refused, in words. */
export function openTunnel(request: RequestContext, options: TunnelOptions): Promise<OpenTunnel | Attempt> {
  const { url, proxyName, timeoutMs, tls } = options;
  const send = new URL(url).protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve) => {
    const asking = send(new URL(url), {
      // A connection of its own: none is kept for later, none is waited for.
      agent: false,
      ...tls,
      path: request.target,
      headers: [...forwardedHeaders(request, proxyName), 'connection', 'Upgrade', 'upgrade', 'websocket'],
    });
    const timer = setTimeout(() => {
      resolve({ kind: 'timed_out', because: `no answer within ${Math.round(timeoutMs)} ms` });
      asking.destroy();
    }, timeoutMs);
    const settle = (outcome: OpenTunnel | Attempt): void => {
      clearTimeout(timer);
      resolve(outcome);
    };
    asking.on('error', (error) => settle(failed(error)));
    asking.on('upgrade', ({ headers }, socket, head) => {
      socket.on('error', () => undefined);
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

/** Both ways, until either side ends; what happens to one socket happens to the other. */
export function join(client: Duplex, tunnel: OpenTunnel, clientHead: Buffer): void {
  const { socket: upstream, head } = tunnel;
  tunnel.client = client;
  client.write(head);
  upstream.write(clientHead);
  upstream.setNoDelay(true);
  upstream.pipe(client);
  client.pipe(upstream);
  upstream.on('close', () => client.destroy());
  // A cut tunnel still has its farewell to deliver.
  client.on('close', () => upstream.writableEnded || upstream.destroy());
  if (upstream.destroyed) client.destroy();
  if (client.destroyed) upstream.destroy();
}

/** Ends a tunnel on purpose. Its client is dropped as soon as the upstream has the farewell, or at once if it hangs. */
export function cut({ socket, client }: OpenTunnel): void {
  client?.unpipe(socket);
  socket.end(GOING_AWAY_FRAME, () => socket.destroy());
  setTimeout(() => socket.destroy(), GOING_AWAY_TIMEOUT_MS).unref();
}

/** The tunnels that are open, by what they lead to. */
export class Tunnels<To> {
  readonly #open = new Map<To, Set<OpenTunnel>>();

  add(to: To, tunnel: OpenTunnel): void {
    const tunnels = this.#open.get(to) ?? new Set();
    this.#open.set(to, tunnels.add(tunnel));
    tunnel.socket.once('close', () => tunnels.delete(tunnel));
  }

  count(to: To): number {
    return this.#open.get(to)?.size ?? 0;
  }

  /** Ends every tunnel to there at once. @returns how many there were. */
  cut(to: To): number {
    const tunnels = [...(this.#open.get(to) ?? [])];
    for (const tunnel of tunnels) cut(tunnel);
    return tunnels.length;
  }

  cutAll(): number {
    return [...this.#open.keys()].reduce((count, to) => count + this.cut(to), 0);
  }
}
