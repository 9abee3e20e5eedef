import { type OutgoingHttpHeaders, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { forwardedHeaders, type RequestContext, returnedHeaders } from './request-context';
import { type Attempt, failed } from './upstream';
import type { UpstreamTls } from './upstream-tls';

/** A connection whose upgrade to WebSocket the upstream accepted. */
export interface OpenTunnel {
  readonly kind: 'open';
  /** Headers of the upstream's answer, for the client. */
  readonly headers: OutgoingHttpHeaders;
  readonly socket: Socket;
  /** Bytes that the upstream sent after its answer. */
  readonly head: Buffer;
  /** The client's socket, once both are joined. */
  client?: Duplex;
}

export interface TunnelOptions {
  readonly url: string;
  /** The name of this hop in the `via` header. */
  readonly proxyName: string;
  /** For the upstream's answer to the upgrade. */
  readonly timeoutMs: number;
  readonly tls?: UpstreamTls | undefined;
}

/**
 * A client's close frame with code 1001 "going away" (RFC 6455, section 7.4.1), masked with zeros. It shows the server
 * that a proxy ended the session on purpose, so the server does not treat the client as dead.
 */
const GOING_AWAY_FRAME = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]);
const GOING_AWAY_TIMEOUT_MS = 1_000;

/** No refusal of Evergrant is larger than this. */
const REFUSAL_BYTES_MAX = 64 * 1024;

/** Requests an upgrade from an upstream. Never rejects. `answered`: the upstream refused with a response. */
export function openTunnel(request: RequestContext, options: TunnelOptions): Promise<OpenTunnel | Attempt> {
  const { url, proxyName, timeoutMs, tls } = options;
  const send = new URL(url).protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve) => {
    const upgrade = send(new URL(url), {
      // A dedicated connection: tunnels never share the pool.
      agent: false,
      ...tls,
      path: request.target,
      headers: [...forwardedHeaders(request, proxyName), 'connection', 'Upgrade', 'upgrade', 'websocket'],
    });
    const timer = setTimeout(() => {
      resolve({ kind: 'timed_out', reason: `no answer within ${Math.round(timeoutMs)} ms` });
      upgrade.destroy();
    }, timeoutMs);
    const settle = (outcome: OpenTunnel | Attempt): void => {
      clearTimeout(timer);
      resolve(outcome);
    };
    upgrade.on('error', (error) => settle(failed(error)));
    upgrade.on('upgrade', ({ headers }, socket, head) => {
      socket.on('error', () => undefined);
      settle({ kind: 'open', headers: returnedHeaders(headers, proxyName), socket: socket as Socket, head });
    });
    upgrade.on('response', (response) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > REFUSAL_BYTES_MAX) upgrade.destroy(new Error('the answer is too large'));
        else chunks.push(chunk);
      });
      response.on('error', (error) => settle(failed(error)));
      response.on('end', () => {
        const { statusCode: status = 502, headers } = response;
        settle({ kind: 'answered', status, headers, body: Buffer.concat(chunks) });
      });
    });
    upgrade.end();
  });
}

/** Connects both sockets until either side ends. Closing one closes the other. */
export function join(client: Duplex, tunnel: OpenTunnel, clientHead: Buffer): void {
  const { socket: upstream, head } = tunnel;
  tunnel.client = client;
  client.write(head);
  upstream.write(clientHead);
  upstream.setNoDelay(true);
  upstream.pipe(client);
  client.pipe(upstream);
  upstream.on('close', () => client.destroy());
  // A cut tunnel still has to send its close frame.
  client.on('close', () => upstream.writableEnded || upstream.destroy());
  if (upstream.destroyed) client.destroy();
  if (client.destroyed) upstream.destroy();
}

/** Ends a tunnel on purpose: sends the close frame upstream, then closes both sockets, at the latest after 1 s. */
export function cut({ socket, client }: OpenTunnel): void {
  client?.unpipe(socket);
  socket.end(GOING_AWAY_FRAME, () => socket.destroy());
  setTimeout(() => socket.destroy(), GOING_AWAY_TIMEOUT_MS).unref();
}

/** The open tunnels by destination. */
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

  /** Ends every tunnel to a destination. @returns their number. */
  cut(to: To): number {
    const tunnels = [...(this.#open.get(to) ?? [])];
    for (const tunnel of tunnels) cut(tunnel);
    return tunnels.length;
  }

  cutAll(): number {
    return [...this.#open.keys()].reduce((count, to) => count + this.cut(to), 0);
  }
}
