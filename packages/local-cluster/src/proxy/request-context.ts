import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import type { OpenTunnel } from './tunnel';

/**
 * One request, wholly read: its body is buffered so that it can be offered to another server when the first one dies
 * with it. That is sound because every call of the contract is idempotent (a checkout carries the lease id its client
 * chose).
 */
export interface RequestContext {
  readonly method: string;
  /** The request target as it came, in origin form: path and query. */
  readonly target: string;
  /** The path alone, without the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Name, value, name, value …, as they came. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer | undefined;
  readonly remoteAddress: string;
}

export interface Reply {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer | string | undefined;
}

/** What becomes of a wish for a WebSocket: a refusal in words, or a tunnel to whoever speaks it. */
export type UpgradeOutcome = { readonly kind: 'refused'; readonly reply: Reply } | OpenTunnel;

export type Upgrader = (request: RequestContext) => Promise<UpgradeOutcome>;

export type Responder = (request: RequestContext) => Promise<Reply> | Reply;

/** Headers that speak about one connection, not about the message: they end at each hop (RFC 9110, section 7.6.1). */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Set anew by whoever sends the message on: the length from the buffered body; `expect` was already answered here. */
const REPLACED_HEADERS = new Set(['content-length', 'expect', 'x-forwarded-for', 'via']);

function connectionOptions(connection: string | string[] | undefined): ReadonlySet<string> {
  if (connection === undefined) return new Set();
  const names = (Array.isArray(connection) ? connection.join(',') : connection).split(',');
  return new Set(names.map((name) => name.trim().toLowerCase()));
}

const appended = (before: string | string[] | undefined, value: string): string =>
  before === undefined ? value : `${Array.isArray(before) ? before.join(', ') : before}, ${value}`;

/** The headers with which a request travels on: name, value, name, value … `proxyName` is this hop's name in `via`. */
export function forwardedHeaders(request: RequestContext, proxyName: string): string[] {
  const dropped = connectionOptions(request.headers.connection);
  const headers: string[] = [];
  for (let index = 0; index + 1 < request.rawHeaders.length; index += 2) {
    const name = request.rawHeaders[index] as string;
    const lower = name.toLowerCase();
    if (HOP_BY_HOP.has(lower) || REPLACED_HEADERS.has(lower) || dropped.has(lower)) continue;
    headers.push(name, request.rawHeaders[index + 1] as string);
  }
  headers.push('x-forwarded-for', appended(request.headers['x-forwarded-for'], request.remoteAddress));
  headers.push('via', appended(request.headers.via, `1.1 ${proxyName}`));
  return headers;
}

/** The headers with which an upstream's answer travels back. */
export function returnedHeaders(upstream: IncomingHttpHeaders, proxyName: string): OutgoingHttpHeaders {
  const dropped = connectionOptions(upstream.connection);
  const headers: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(upstream)) {
    if (value !== undefined && !HOP_BY_HOP.has(name) && !dropped.has(name)) headers[name] = value;
  }
  headers.via = appended(upstream.via, `1.1 ${proxyName}`);
  return headers;
}
