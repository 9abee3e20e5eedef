import { createHash, timingSafeEqual } from 'node:crypto';
import { problem } from './problems';
import type { Reply, RequestContext } from './request-context';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/**
 * Guards the doors through which a region is fenced and traffic is moved.
 *
 * @returns a function that returns a 401 or 403 problem for whoever may not pass, and undefined for the administrator.
 */
export function adminGuard(adminToken: string): (request: RequestContext) => Reply | undefined {
  const expected = digest(adminToken);
  return ({ headers }) => {
    const token = /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
    if (token === undefined) {
      const reply = problem({ status: 401, code: 'unauthenticated', title: 'An administrator token is required' });
      return { ...reply, headers: { ...reply.headers, 'www-authenticate': 'Bearer' } };
    }
    // Digests have one length and differ everywhere when the tokens differ anywhere: the time tells nothing.
    if (timingSafeEqual(digest(token), expected)) return undefined;
    return problem({ status: 403, code: 'forbidden', title: 'This token may not do that' });
  };
}

/** The body as JSON; undefined when it is not a JSON object. */
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
