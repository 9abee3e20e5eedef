import type { Region } from '@evergrant/core/regions';
import type { Reply } from './request-context';

export type Members = Readonly<Record<string, string | null>>;

export interface ProxyProblem {
  readonly status: number;
  /** Stable. Programs compare it. */
  readonly code: string;
  readonly title: string;
  readonly detail?: string;
  readonly retryAfterSeconds?: number;
  /** Further members of the document, for example `activeRegion`. */
  readonly members?: Members;
}

/** A problem document of RFC 9457. */
export function problem({ status, code, title, detail, retryAfterSeconds, members }: ProxyProblem): Reply {
  const document = { type: `urn:evergrant:problem:${code}`, title, status, code, detail, ...members };
  return {
    status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
    },
    body: JSON.stringify(document),
  };
}

/**
 * The members that name the active region. Servers, routers and the edge add them to every answer that sends a client to
 * another region. Null means unknown.
 */
export function activeRegionMembers(activeRegion: Region | null, address: string | null): Members {
  return { activeRegion, address };
}

export function jsonReply(status: number, value: unknown): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
    body: JSON.stringify(value),
  };
}

export const notFound = (path: string): Reply =>
  problem({
    status: 404,
    code: 'not_found',
    title: 'Not found',
    detail: `This server has no resource ${path}.`,
  });

export const proxyMethodNotAllowed = (allowed: string): Reply => {
  const reply = problem({
    status: 405,
    code: 'method_not_allowed',
    title: 'Method not allowed',
    detail: `Use ${allowed}.`,
  });
  return { ...reply, headers: { ...reply.headers, allow: allowed } };
};

export const invalid = (field: string, detail: string): Reply =>
  problem({ status: 422, code: 'invalid_request', title: 'The request is not valid', detail, members: { field } });
