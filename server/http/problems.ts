import { type Static, Type } from '@sinclair/typebox';
import type { FastifyReply } from 'fastify';

/** Codes are a contract: scripts branch on them. The status of a code never changes. */
const PROBLEMS = {
  malformed_body: { status: 400, title: 'The body is not JSON' },
  unauthenticated: { status: 401, title: 'A bearer token is required' },
  forbidden: { status: 403, title: 'The token does not allow this' },
  not_found: { status: 404, title: 'There is nothing at this address' },
  lease_not_found: { status: 404, title: 'There is no such lease' },
  entitlement_not_found: { status: 404, title: 'No license entitles to this feature of this product' },
  no_seat_available: { status: 409, title: 'Not enough seats are free' },
  lease_conflict: { status: 409, title: 'The lease id is in use for a different request' },
  lease_expired: { status: 410, title: 'The lease has expired' },
  lease_released: { status: 410, title: 'The lease has been released' },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The body must be application/json' },
  invalid_request: { status: 422, title: 'The request is not valid' },
  internal_error: { status: 500, title: 'The server met a fault of its own' },
  not_granting: { status: 503, title: 'This server does not grant now' },
  outcome_unknown: {
    status: 503,
    title: 'The database did not say whether this happened; the same request may be sent again',
  },
  overloaded: { status: 503, title: 'Too many requests are waiting' },
  database_unreachable: { status: 503, title: 'The database does not answer' },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

export const PROBLEM_TYPE = 'application/problem+json';

export const Problem = Type.Object(
  {
    type: Type.String({ description: 'A URI for the kind of problem' }),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: 'Stable; branch on this' }),
    detail: Type.Optional(Type.String()),
  },
  { additionalProperties: true, description: 'A problem document (RFC 9457)' },
);

export interface ProblemExtras {
  readonly detail?: string;
  readonly retryAfterSeconds?: number;
  /** Members of the problem document beyond the standard ones. */
  readonly members?: Readonly<Record<string, unknown>>;
}

/** Answers with a problem document. */
export function sendProblem(reply: FastifyReply, code: ProblemCode, extras: ProblemExtras = {}): FastifyReply {
  const { status, title } = PROBLEMS[code];
  const { detail, retryAfterSeconds, members } = extras;
  if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds);
  const body: Static<typeof Problem> & Record<string, unknown> = {
    type: `urn:evergrant:problem:${code}`,
    title,
    status,
    code,
    ...(detail === undefined ? {} : { detail }),
    ...members,
  };
  return reply.code(status).header('content-type', PROBLEM_TYPE).serializer(JSON.stringify).send(body);
}

/** The responses of a route for OpenAPI: one entry a status, naming the codes that it may carry. */
export function problemResponses(...codes: ProblemCode[]): Record<number, object> {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of codes) {
    const { status } = PROBLEMS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, sameStatus]) => [
      status,
      {
        description: sameStatus.map((code) => `\`${code}\`: ${PROBLEMS[code].title}`).join('. '),
        content: { [PROBLEM_TYPE]: { schema: Problem } },
      },
    ]),
  );
}
