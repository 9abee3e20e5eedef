import type { FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import { sha256Of } from '../api-tokens/api-token-verifier';
import type { AppOptions } from '../platform/http/app-options';
import { refusalReply } from '../platform/http/problem-mapping';
import { problemReply, sendReply } from '../platform/http/problems';
import type { RateLimits } from '../platform/http/rate-limits';
import type { Reply } from '../platform/http/reply';
import { allows, type Caller, type Scope } from './core/caller';

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

export type CallerVerdict =
  | { readonly kind: 'allowed'; readonly caller: Caller }
  | { readonly kind: 'unauthenticated' | 'forbidden' | 'unavailable'; readonly reply: Reply };

export type CallerOptions = Pick<AppOptions, 'tokenVerifier' | 'heartbeats' | 'role' | 'regionAddresses'>;

/** The SHA-256, in hex, of the bearer token in an `Authorization` header. */
export function bearerSha256(authorization: string | undefined): string | undefined {
  const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  return token === undefined ? undefined : sha256Of(token);
}

/** Whom the token with this SHA-256 belongs to, and whether one of the scopes is theirs. */
export async function callerVerdict(
  options: CallerOptions,
  sha256: string | undefined,
  wanted: readonly Scope[],
): Promise<CallerVerdict> {
  const verdict =
    sha256 === undefined ? ({ kind: 'unknown' } as const) : await options.tokenVerifier.checkSha256(sha256);
  switch (verdict.kind) {
    case 'known': {
      const { caller } = verdict;
      if (allows(caller.scopes, wanted)) return { kind: 'allowed', caller: await options.heartbeats.record(caller) };
      return {
        kind: 'forbidden',
        reply: problemReply('forbidden', { detail: `needs the scope ${wanted.join(' or ')}` }),
      };
    }
    case 'unknown':
      return { kind: 'unauthenticated', reply: problemReply('unauthenticated') };
    case 'unavailable':
      // Nobody can be known here, and nothing granted: where else is no secret.
      return {
        kind: 'unavailable',
        reply: refusalReply({ kind: 'not_granting', reason: 'database_unreachable' }, options),
      };
    case 'overloaded':
      return { kind: 'unavailable', reply: refusalReply(verdict, options) };
  }
}

export function authentication(options: CallerOptions, limits: RateLimits): Authenticate {
  return (...wanted) =>
    async (request: FastifyRequest, reply: FastifyReply) => {
      const refusal = await admit(request, reply, { ...options, limits, wanted });
      return refusal && sendReply(reply, refusal);
    };
}

/** Resolves to the refusal, if there is one; otherwise the request has its caller. */
async function admit(
  request: FastifyRequest,
  reply: FastifyReply,
  options: CallerOptions & { readonly limits: RateLimits; readonly wanted: readonly Scope[] },
): Promise<Reply | undefined> {
  const { limits, wanted } = options;
  const sha256 = bearerSha256(request.headers.authorization);
  // Who was seen lately is let in even from an address that many strangers try.
  const known = sha256 !== undefined && options.tokenVerifier.remembers(sha256);
  const tooMany = known ? undefined : await limits.afterFailures('refusals', request);
  if (tooMany) return tooMany;
  const verdict = await callerVerdict(options, sha256, wanted);
  if (verdict.kind === 'allowed') {
    request.caller = verdict.caller;
    return limits.ofCaller(request, reply, verdict.caller);
  }
  if (verdict.kind === 'unauthenticated') {
    await limits.failed('refusals', request);
    reply.header('www-authenticate', 'Bearer');
  }
  return verdict.reply;
}
