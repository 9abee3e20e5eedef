import type { FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import { allows, type Scope } from '../core/access';
import type { ApiTokens } from '../duties/api-tokens';
import type { ApiToken } from '../ports';
import { sendProblem } from './problems';

declare module 'fastify' {
  interface FastifyRequest {
    /** The API token that the request was made with, on routes that ask for one. */
    caller: ApiToken;
  }
}

/**
 * Makes the hook that lets a request through when its bearer token has any of the scopes. It is asked before the
 * request is read: a stranger learns nothing about what would be valid.
 */
export type Authenticate = (...wanted: Scope[]) => onRequestAsyncHookHandler;

const RETRY_AFTER_SECONDS = 1;

export function authentication(apiTokens: ApiTokens): Authenticate {
  return (...wanted) =>
    async (request: FastifyRequest, reply: FastifyReply) => {
      const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
      const verdict = token === undefined ? ({ kind: 'unknown' } as const) : apiTokens.check(token);
      switch (verdict.kind) {
        case 'not_loaded':
          return sendProblem(reply, 'database_unreachable', {
            detail: 'no API tokens have been read yet',
            retryAfterSeconds: RETRY_AFTER_SECONDS,
          });
        case 'unknown':
          return sendProblem(reply.header('www-authenticate', 'Bearer'), 'unauthenticated');
        case 'known':
          if (!allows(verdict.token.scopes, wanted)) {
            return sendProblem(reply, 'forbidden', { detail: `needs the scope ${wanted.join(' or ')}` });
          }
          request.caller = verdict.token;
          return undefined;
      }
    };
}
