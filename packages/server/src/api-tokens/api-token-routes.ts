import type { Static } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Authenticate } from '../auth/authentication';
import type { AppOptions } from '../platform/http/app-options';
import { Empty } from '../platform/http/fields';
import { refusalReply } from '../platform/http/problem-mapping';
import { problemResponses, sendProblem, sendReply } from '../platform/http/problems';
import { PAGE_SIZE_DEFAULT } from '../platform/http/schemas';
import { ApiTokenBody, ApiTokenParams, ApiTokens, ApiTokensQuery, RevocationBody } from './api-token-schemas';

type ApiTokenRouteOptions = AppOptions & { readonly authenticate: Authenticate };

const TAGS = ['api tokens'];
const SECURITY = [{ bearer: [] }];
const COMMON = ['invalid_request', 'malformed_body', 'unauthenticated', 'forbidden'] as const;
const UNAVAILABLE = ['not_granting', 'outcome_unknown', 'overloaded', 'database_unreachable'] as const;

/** Routes by which an administrator manages API tokens. The server receives only the hash of a token. */
export function apiTokenRoutes(routes: FastifyInstance, options: ApiTokenRouteOptions): void {
  creationRoute(routes, options);
  revocationRoute(routes, options);

  routes.get<{ Querystring: Static<typeof ApiTokensQuery> }>(
    '/v1/api-tokens',
    {
      schema: {
        tags: TAGS,
        summary: 'Read API tokens, including revoked and expired ones',
        security: SECURITY,
        querystring: ApiTokensQuery,
        response: { 200: ApiTokens, ...problemResponses(...COMMON, 'database_unreachable') },
      },
      onRequest: options.authenticate('admin'),
    },
    async (request) => {
      const { cursor, limit: limitText, controlRoom } = request.query;
      const limit = limitText === undefined ? PAGE_SIZE_DEFAULT : Number(limitText);
      const tokens = await options.database.apiTokens.read({ controlRoom, after: cursor, limit });
      return { tokens, nextCursor: tokens.length === limit ? (tokens.at(-1)?.name ?? null) : null };
    },
  );
}

function creationRoute(routes: FastifyInstance, options: ApiTokenRouteOptions): void {
  routes.post<{ Body: Static<typeof ApiTokenBody> }>(
    '/v1/api-tokens',
    {
      schema: {
        tags: TAGS,
        summary: 'Register an API token by its hash',
        description: 'Idempotent. A token that is bound to a Control Room acts only for that Control Room.',
        security: SECURITY,
        body: ApiTokenBody,
        response: {
          201: Empty,
          204: Empty,
          ...problemResponses(...COMMON, 'control_room_not_found', 'api_token_exists', 'token_in_use', ...UNAVAILABLE),
        },
      },
      onRequest: options.authenticate('admin'),
    },
    async (request, reply) => {
      const { name, scopes, tokenSha256, expiresAt, controlRoom } = request.body;
      if (controlRoom !== undefined && scopes.includes('admin')) {
        return sendInvalidField(reply, 'scopes', 'must not include admin for a token that is bound to a Control Room');
      }
      const expiry = expiresAt === undefined ? undefined : new Date(expiresAt);
      if (expiry && !isStorable(expiry)) {
        return sendInvalidField(
          reply,
          'expiresAt',
          'must be an instant in the years 1970 to 9999, such as 2027-01-31T12:00:00Z',
        );
      }
      const verdict = await options.apiTokenService.create(
        { name, scopes, tokenSha256: tokenSha256.toLowerCase(), expiresAt: expiry?.toISOString(), controlRoom },
        { actor: request.caller.name },
      );
      switch (verdict.kind) {
        case 'created':
        case 'known':
          return reply.code(verdict.kind === 'created' ? 201 : 204).send();
        case 'control_room_not_found':
        case 'api_token_exists':
        case 'token_in_use':
          return sendProblem(reply, verdict.kind);
        default:
          return sendReply(reply, refusalReply(verdict, options));
      }
    },
  );
}

/** The date-time format allows years and offsets that PostgreSQL rejects. */
function isStorable(instant: Date): boolean {
  const year = instant.getUTCFullYear();
  return year >= 1970 && year <= 9999;
}

function sendInvalidField(reply: FastifyReply, field: string, detail: string): FastifyReply {
  return sendProblem(reply, 'invalid_request', {
    detail: `${field} ${detail}`,
    members: { field, errors: [{ field, detail }] },
  });
}

function revocationRoute(routes: FastifyInstance, options: ApiTokenRouteOptions): void {
  routes.delete<{ Params: Static<typeof ApiTokenParams>; Body: Static<typeof RevocationBody> }>(
    '/v1/api-tokens/:name',
    {
      schema: {
        tags: TAGS,
        summary: 'Revoke an API token',
        description: 'Permanent, and effective on every server within five seconds. Idempotent.',
        security: SECURITY,
        params: ApiTokenParams,
        body: RevocationBody,
        response: {
          204: Empty,
          ...problemResponses(...COMMON, 'api_token_not_found', 'last_admin_token', ...UNAVAILABLE),
        },
      },
      onRequest: options.authenticate('admin'),
    },
    async (request, reply) => {
      const attribution = { actor: request.caller.name, reason: request.body.reason };
      const verdict = await options.apiTokenService.revoke(request.params.name, attribution);
      switch (verdict.kind) {
        case 'revoked':
        case 'already_revoked':
          return reply.code(204).send();
        case 'last_admin_token':
          return sendProblem(reply, verdict.kind, {
            detail: 'this is the last admin token; create another before revoking it',
          });
        case 'api_token_not_found':
          return sendProblem(reply, verdict.kind);
        default:
          return sendReply(reply, refusalReply(verdict, options));
      }
    },
  );
}
