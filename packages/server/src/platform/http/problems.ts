import { STATUS_CODES } from 'node:http';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyReply } from 'fastify';
import type { HttpReply, ProblemReply } from './reply';

/** The codes are published: scripts branch on them. The status of a code never changes. */
const PROBLEMS = {
  malformed_body: { status: 400, title: 'The body is not JSON' },
  malformed_url: { status: 400, title: 'The URL cannot be decoded' },
  unauthenticated: { status: 401, title: 'A bearer token is required' },
  forbidden: { status: 403, title: 'The token does not allow this' },
  wrong_license: { status: 403, title: 'The token belongs to another license' },
  wrong_control_room: { status: 403, title: 'The license belongs to another Control Room' },
  license_not_valid: { status: 403, title: 'The license is not valid now' },
  control_room_suspended: { status: 403, title: 'The Control Room is suspended' },
  control_room_fail_safe: {
    status: 403,
    title: 'The Control Room is in fail-safe: it keeps its leases and gets no new ones',
  },
  license_tampered: { status: 403, title: 'The license differs from the file that its vendor signed' },
  license_unknown_key: { status: 403, title: 'The license is signed with a key that this server does not trust' },
  license_key_expired: { status: 403, title: 'The certificate of the license’s signing key is not valid now' },
  license_expired: { status: 403, title: 'The license has expired' },
  license_not_yet_valid: { status: 403, title: 'The license is not valid yet' },
  license_not_for_this_deployment: { status: 403, title: 'The license cannot be opened by this deployment' },
  license_suspended: { status: 403, title: 'The license was suspended by its vendor' },
  license_key_unknown: { status: 403, title: 'No license has this license key' },
  license_of_another_control_room: { status: 403, title: 'The license belongs to another Control Room' },
  not_found: { status: 404, title: 'There is no resource at this URL' },
  lease_not_found: { status: 404, title: 'There is no such lease' },
  control_room_not_found: { status: 404, title: 'There is no such Control Room' },
  api_token_not_found: { status: 404, title: 'There is no such API token' },
  license_not_found: { status: 404, title: 'There is no such license' },
  offline_return_unknown: { status: 404, title: 'No borrowed seats match this return' },
  entitlement_not_found: { status: 404, title: 'No license provides this feature of this product' },
  method_not_allowed: { status: 405, title: 'This URL does not allow this method' },
  no_seat_available: { status: 409, title: 'Not enough seats are free' },
  control_room_registered: { status: 409, title: 'This Control Room is registered with another token' },
  api_token_exists: { status: 409, title: 'A different API token has this name' },
  token_in_use: { status: 409, title: 'This token is already used for another purpose' },
  too_many_tokens: { status: 409, title: 'The Control Room has the maximum number of tokens' },
  last_admin_token: { status: 409, title: 'This is the last admin token' },
  queue_full: { status: 409, title: 'The queue for seats is full' },
  more_reserved_than_sold: { status: 409, title: 'The reservations would exceed the seats that were sold' },
  reserved_seats_in_use: { status: 409, title: 'The seats to be reserved are in use by others' },
  reservation_of_license: { status: 409, title: 'The license file makes this reservation; it cannot be changed here' },
  license_replayed: { status: 409, title: 'A later issue of this license is in force' },
  license_issue_reused: { status: 409, title: 'This issue of the license is in force with different content' },
  license_kind_changed: { status: 409, title: 'The kind of a license cannot change' },
  license_key_in_use: { status: 409, title: 'Another license has the same license key' },
  license_shrinks_below_use: { status: 409, title: 'The license would remove seats that are in use' },
  offline_file_of_another: { status: 409, title: 'The file belongs to another Control Room' },
  offline_nonce_reused: { status: 409, title: 'Another request has used this nonce' },
  lease_conflict: { status: 409, title: 'The lease id is in use for a different request' },
  lease_expired: { status: 410, title: 'The lease has expired' },
  lease_released: { status: 410, title: 'The lease has been released' },
  body_too_large: { status: 413, title: 'The body is too large' },
  uri_too_long: { status: 414, title: 'URI Too Long' },
  unsupported_media_type: { status: 415, title: 'The media type of the body is not supported' },
  session_full: { status: 409, title: 'The session holds the maximum number of leases' },
  license_wrong_server: { status: 421, title: 'The license is dedicated to other servers' },
  license_unreadable: { status: 422, title: 'The license file cannot be read' },
  license_ambiguous: { status: 422, title: 'Several licenses provide this feature' },
  borrow_too_long: { status: 422, title: 'The borrow period exceeds the maximum' },
  invalid_request: { status: 422, title: 'The request is not valid' },
  upgrade_required: { status: 426, title: 'This URL requires a WebSocket with the subprotocol evergrant.v1' },
  offline_file_unreadable: { status: 422, title: 'The file cannot be read' },
  rate_limited: { status: 429, title: 'Too many requests' },
  internal_error: { status: 500, title: 'Internal error' },
  not_granting: { status: 503, title: 'This server does not grant now' },
  no_quorum: { status: 503, title: 'Fewer than two of the three servers of the license can be reached' },
  outcome_unknown: {
    status: 503,
    title: 'The database did not confirm the outcome; send the same request again',
  },
  overloaded: { status: 503, title: 'Too many requests are waiting' },
  too_many_sessions: { status: 503, title: 'This server has the maximum number of sessions' },
  not_protected: {
    status: 503,
    title: 'The other region did not confirm this in time; send the same request again',
  },
  database_unreachable: { status: 503, title: 'The database does not answer' },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

export const PROBLEM_TYPE = 'application/problem+json';

export const Problem = Type.Object(
  {
    type: Type.String({ description: 'A URI for the kind of problem' }),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: 'A stable code for programs to branch on' }),
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

/** A problem document as an answer, for HTTP and for sessions. */
export function problemReply(code: ProblemCode, extras: ProblemExtras = {}): ProblemReply {
  const { detail, retryAfterSeconds, members } = extras;
  const document = { ...problem(code, PROBLEMS[code]), ...(detail === undefined ? {} : { detail }), ...members };
  return {
    status: document.status,
    body: document,
    problem: code,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  };
}

/** Answers with a problem document. */
export function sendProblem(reply: FastifyReply, code: ProblemCode, extras: ProblemExtras = {}): FastifyReply {
  return sendReply(reply, problemReply(code, extras));
}

/** Answers with HTTP's own phrase for a status, for refusals without a published code. */
export function sendStatusProblem(reply: FastifyReply, status: number): FastifyReply {
  return sendReply(reply, { status, body: statusProblem(status) });
}

/** The code is derived from HTTP's own phrase: 414 is `uri_too_long`. */
export function statusProblem(status: number): Static<typeof Problem> {
  const title = STATUS_CODES[status] ?? `HTTP ${status}`;
  const code = title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_');
  return problem(code, { status, title });
}

function problem(code: string, { status, title }: { status: number; title: string }): Static<typeof Problem> {
  return { type: `urn:evergrant:problem:${code}`, title, status, code };
}

/** Sends an answer over HTTP. Every answer with status 400 or more is a problem document. */
export function sendReply(reply: FastifyReply, { status, body, text, retryAfterSeconds }: HttpReply): FastifyReply {
  if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds);
  if (status >= 400) reply.header('content-type', PROBLEM_TYPE).serializer(JSON.stringify);
  if (text !== undefined) return reply.type('text/plain; charset=utf-8').serializer(String).code(status).send(text);
  return reply.code(status).send(body);
}

/** The problem responses of a route for OpenAPI: one entry per status, with the codes that it may carry. */
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

/** Codes of temporary refusals on every route that grants seats. The caller retries later or at another address. */
export const UNAVAILABLE = [
  'not_granting',
  'not_protected',
  'no_quorum',
  'outcome_unknown',
  'overloaded',
  'database_unreachable',
] as const;
