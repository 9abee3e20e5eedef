import type { Static } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import type { Authenticate } from '../auth/authentication';
import type { AppOptions } from '../platform/http/app-options';
import { Empty } from '../platform/http/fields';
import { acknowledgedReply, mutatingRoute } from '../platform/http/mutating-route';
import { refusalReply } from '../platform/http/problem-mapping';
import { problemReply, problemResponses } from '../platform/http/problems';
import type { ProblemReply } from '../platform/http/reply';
import { PAGE_SIZE_DEFAULT } from '../platform/http/schemas';
import { ApiTokenBody, ApiTokenParams, ApiTokens, ApiTokensQuery, RevocationBody } from './api-token-schemas';

type ApiTokenRouteOptions = AppOptions & { readonly authenticate: Authenticate };

const TAGS = ['api tokens'];
const SECURITY = [{ bearer: [] }];
const COMMON = ['invalid_request', 'malformed_body', 'unauthenticated', 'forbidden'] as const;
const UNAVAILABLE = ['not_granting', 'not_protected', 'outcome_unknown', 'overloaded', 'database_unreachable'] as const;

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
  mutatingRoute<{ Body: Static<typeof ApiTokenBody> }>(routes, {
    method: 'POST',
    url: '/v1/api-tokens',
    acknowledges: ['replicated'],
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
    answer: async (request) => {
      const { name, scopes, tokenSha256, expiresAt, controlRoom } = request.body;
      if (controlRoom !== undefined && scopes.includes('admin')) {
        return invalidField('scopes', 'must not include admin for a token that is bound to a Control Room');
      }
      const expiry = expiresAt === undefined ? undefined : new Date(expiresAt);
      if (expiry && !isStorable(expiry)) {
        return invalidField('expiresAt', 'must be an instant in the years 1970 to 9999, such as 2027-01-31T12:00:00Z');
      }
      const verdict = await options.apiTokenService.create(
        { name, scopes, tokenSha256: tokenSha256.toLowerCase(), expiresAt: expiry?.toISOString(), controlRoom },
        { actor: request.caller.name },
      );
      switch (verdict.kind) {
        case 'acknowledged':
          return acknowledgedReply(verdict, { status: verdict.value.kind === 'created' ? 201 : 204 });
        case 'control_room_not_found':
        case 'api_token_exists':
        case 'token_in_use':
          return problemReply(verdict.kind);
        default:
          return refusalReply(verdict, options);
      }
    },
  });
}

/** The date-time format allows years and offsets that PostgreSQL rejects. */
function isStorable(instant: Date): boolean {
  const year = instant.getUTCFullYear();
  return year >= 1970 && year <= 9999;
}

function invalidField(field: string, detail: string): ProblemReply {
  return problemReply('invalid_request', {
    detail: `${field} ${detail}`,
    members: { field, errors: [{ field, detail }] },
  });
}

function revocationRoute(routes: FastifyInstance, options: ApiTokenRouteOptions): void {
  mutatingRoute<{ Params: Static<typeof ApiTokenParams>; Body: Static<typeof RevocationBody> }>(routes, {
    method: 'DELETE',
    url: '/v1/api-tokens/:name',
    acknowledges: ['restriction'],
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
    answer: async (request) => {
      const attribution = { actor: request.caller.name, reason: request.body.reason };
      const verdict = await options.apiTokenService.revoke(request.params.name, attribution);
      switch (verdict.kind) {
        case 'acknowledged':
          return acknowledgedReply(verdict, { status: 204 });
        case 'last_admin_token':
          return problemReply(verdict.kind, {
            detail: 'this is the last admin token; create another before revoking it',
          });
        case 'api_token_not_found':
          return problemReply(verdict.kind);
        default:
          return refusalReply(verdict, options);
      }
    },
  });
}
