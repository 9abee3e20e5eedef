import type { FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import { sha256Of } from '../api-tokens/api-token-verifier';
import type { AppOptions } from '../platform/http/app-options';
import { refusalReply } from '../platform/http/problem-mapping';
import { problemReply, sendReply } from '../platform/http/problems';
import type { RateLimits } from '../platform/http/rate-limits';
import type { HttpReply } from '../platform/http/reply';
import { allows, type Caller, type Scope } from './core/caller';

declare module 'fastify' {
  interface FastifyRequest {
    /** The caller of the request, on routes that require a token. */
    caller: Caller;
  }
}

/**
 * Creates the hook that accepts a request when its bearer token has any of the scopes. The hook runs before the request
 * is validated, so an unauthenticated caller learns nothing about valid requests.
 */
export type Authenticate = (...required: Scope[]) => onRequestAsyncHookHandler;

export type CallerVerdict =
  | { readonly kind: 'allowed'; readonly caller: Caller }
  | { readonly kind: 'unauthenticated' | 'forbidden' | 'unavailable'; readonly reply: HttpReply };

export type CallerOptions = Pick<AppOptions, 'tokenVerifier' | 'heartbeats' | 'role' | 'regionAddresses'>;

/** The SHA-256, in hex, of the bearer token in an `Authorization` header. */
export function bearerSha256(authorization: string | undefined): string | undefined {
  const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  return token === undefined ? undefined : sha256Of(token);
}

/** Finds the caller of the token with this SHA-256, and checks that it has one of the required scopes. */
export async function callerVerdict(
  options: CallerOptions,
  sha256: string | undefined,
  required: readonly Scope[],
): Promise<CallerVerdict> {
  const verdict =
    sha256 === undefined ? ({ kind: 'unknown' } as const) : await options.tokenVerifier.checkSha256(sha256);
  switch (verdict.kind) {
    case 'known': {
      const { caller } = verdict;
      if (allows(caller.scopes, required)) return { kind: 'allowed', caller: await options.heartbeats.record(caller) };
      return {
        kind: 'forbidden',
        reply: problemReply('forbidden', { detail: `requires the scope ${required.join(' or ')}` }),
      };
    }
    case 'unknown':
      return { kind: 'unauthenticated', reply: problemReply('unauthenticated') };
    case 'unavailable':
      // This server can neither verify tokens nor grant. The other region's address is public.
      return {
        kind: 'unavailable',
        reply: refusalReply({ kind: 'not_granting', reason: 'database_unreachable' }, options),
      };
    case 'overloaded':
      return { kind: 'unavailable', reply: refusalReply(verdict, options) };
  }
}

export function authentication(options: CallerOptions, limits: RateLimits): Authenticate {
  return (...required) =>
    async (request: FastifyRequest, reply: FastifyReply) => {
      const refusal = await admit(request, reply, { ...options, limits, required });
      return refusal && sendReply(reply, refusal);
    };
}

/** Sets the caller of the request, or resolves to a refusal. */
async function admit(
  request: FastifyRequest,
  reply: FastifyReply,
  options: CallerOptions & { readonly limits: RateLimits; readonly required: readonly Scope[] },
): Promise<HttpReply | undefined> {
  const { limits, required } = options;
  const sha256 = bearerSha256(request.headers.authorization);
  // A caller that was verified recently is accepted even when its address has reached the limit of failures.
  const known = sha256 !== undefined && options.tokenVerifier.remembers(sha256);
  const tooMany = known ? undefined : await limits.afterFailures('refusals', request);
  if (tooMany) return tooMany;
  const verdict = await callerVerdict(options, sha256, required);
  if (verdict.kind === 'allowed') {
    request.caller = verdict.caller;
    return limits.ofCaller(reply, verdict.caller);
  }
  if (verdict.kind === 'unauthenticated') {
    await limits.failed('refusals', request);
    reply.header('www-authenticate', 'Bearer');
  }
  return verdict.reply;
}
