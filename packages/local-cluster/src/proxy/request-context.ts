import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import type { OpenTunnel } from './tunnel';

/**
 * One complete request. The body is buffered so that the request can be sent to another server when the first one fails.
 * A repeated request is safe, because every call of the API is idempotent (a checkout carries a lease id that its client
 * chose).
 */
export interface RequestContext {
  readonly method: string;
  /** The request target as received, in origin form: path and query. */
  readonly target: string;
  /** The path without the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Name, value, name, value …, as received. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer | undefined;
  readonly remoteAddress: string;
}

export interface Reply {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer | string | undefined;
}

/** The outcome of an upgrade request: a refusal or an open tunnel. */
export type UpgradeOutcome = { readonly kind: 'refused'; readonly reply: Reply } | OpenTunnel;

export type Upgrader = (request: RequestContext) => Promise<UpgradeOutcome>;

export type Responder = (request: RequestContext) => Promise<Reply> | Reply;

/** Headers that concern one connection only. A proxy does not forward them (RFC 9110, section 7.6.1). */
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

/** Headers that this proxy replaces: the length comes from the buffered body, and `expect` was answered here. */
const REPLACED_HEADERS = new Set(['content-length', 'expect', 'x-forwarded-for', 'via']);

function connectionOptions(connection: string | string[] | undefined): ReadonlySet<string> {
  if (connection === undefined) return new Set();
  const names = (Array.isArray(connection) ? connection.join(',') : connection).split(',');
  return new Set(names.map((name) => name.trim().toLowerCase()));
}

const appended = (before: string | string[] | undefined, value: string): string =>
  before === undefined ? value : `${Array.isArray(before) ? before.join(', ') : before}, ${value}`;

/** The headers of the forwarded request: name, value, name, value … `proxyName` is the name of this hop in `via`. */
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

/** The headers of an upstream's answer, for the client. */
export function returnedHeaders(upstream: IncomingHttpHeaders, proxyName: string): OutgoingHttpHeaders {
  const dropped = connectionOptions(upstream.connection);
  const headers: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(upstream)) {
    if (value !== undefined && !HOP_BY_HOP.has(name) && !dropped.has(name)) headers[name] = value;
  }
  headers.via = appended(upstream.via, `1.1 ${proxyName}`);
  return headers;
}
