import { createHash, timingSafeEqual } from 'node:crypto';
import { problem } from './problems';
import type { Reply, RequestContext } from './request-context';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/**
 * Protects the administrative routes of the router and the edge.
 *
 * @returns a function that returns a 401 or 403 problem, or undefined when the request has the administrator's token.
 */
export function adminGuard(adminToken: string): (request: RequestContext) => Reply | undefined {
  const expected = digest(adminToken);
  return ({ headers }) => {
    const token = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
    if (token === undefined) {
      const reply = problem({ status: 401, code: 'unauthenticated', title: 'An administrator token is required' });
      return { ...reply, headers: { ...reply.headers, 'www-authenticate': 'Bearer' } };
    }
    // Comparing digests takes constant time and does not depend on the token's length.
    if (timingSafeEqual(digest(token), expected)) return undefined;
    return problem({ status: 403, code: 'forbidden', title: 'The token does not permit this operation' });
  };
}

/** The body as a JSON object; undefined when it is none. */
export function jsonBody(request: RequestContext): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(request.body?.toString('utf8') ?? '');
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
