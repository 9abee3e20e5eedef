import type { FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import { allows, type Caller, type Scope } from '../core/access';
import type { AppOptions } from './app-options';
import { sendProblem, sendReply } from './problems';
import { refusalReply } from './refusals';

declare module 'fastify' {
  interface FastifyRequest {
    /** On whose behalf the request is made, on routes that ask for a token. */
    caller: Caller;
  }
}

/**
 * Makes the hook that lets a request through when its bearer token has any of the scopes. It is asked before the
 * request is read: a stranger learns nothing about what would be valid.
 */
export type Authenticate = (...wanted: Scope[]) => onRequestAsyncHookHandler;

export function authentication(options: AppOptions): Authenticate {
  return (...wanted) =>
    async (request: FastifyRequest, reply: FastifyReply) => {
      const token = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
      const verdict = token === undefined ? ({ kind: 'unknown' } as const) : await options.apiTokens.check(token);
      switch (verdict.kind) {
        case 'known':
          if (!allows(verdict.caller.scopes, wanted)) {
            return sendProblem(reply, 'forbidden', { detail: `needs the scope ${wanted.join(' or ')}` });
          }
          request.caller = verdict.caller;
          return undefined;
        case 'unknown':
          return sendProblem(reply.header('www-authenticate', 'Bearer'), 'unauthenticated');
        case 'unchecked':
          // Nobody can be known here, and nothing granted: where else is no secret.
          return sendReply(reply, refusalReply({ kind: 'not_granting', because: 'database_unreachable' }, options));
        case 'overloaded':
          return sendReply(reply, refusalReply(verdict, options));
      }
    };
}
