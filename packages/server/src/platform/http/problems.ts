import { STATUS_CODES } from 'node:http';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyReply } from 'fastify';
import type { Reply } from './reply';

/** Codes are a contract: scripts branch on them. The status of a code never changes. */
const PROBLEMS = {
  malformed_body: { status: 400, title: 'The body is not JSON' },
  malformed_url: { status: 400, title: 'The address cannot be decoded' },
  unauthenticated: { status: 401, title: 'A bearer token is required' },
  forbidden: { status: 403, title: 'The token does not allow this' },
  wrong_license: { status: 403, title: 'The token acts within another license' },
  wrong_control_room: { status: 403, title: 'The license belongs to another Control Room' },
  license_not_valid: { status: 403, title: 'The license is not valid now' },
  control_room_suspended: { status: 403, title: 'The Control Room is suspended' },
  control_room_fail_safe: {
    status: 403,
    title: 'The Control Room is in fail-safe: what it holds it keeps, nothing is added',
  },
  license_tampered: { status: 403, title: 'The license is not what its vendor signed' },
  license_unknown_key: { status: 403, title: 'The license is signed with a key that is not trusted here' },
  license_key_expired: { status: 403, title: 'The certificate of the license’s signing key is not valid now' },
  license_expired: { status: 403, title: 'The license has expired' },
  license_not_yet_valid: { status: 403, title: 'The license is not valid yet' },
  license_not_for_this_deployment: { status: 403, title: 'The license cannot be opened by this deployment' },
  license_suspended: { status: 403, title: 'The license was suspended by its vendor' },
  license_key_unknown: { status: 403, title: 'No license has this license key' },
  license_of_another_control_room: { status: 403, title: 'The license belongs to another Control Room' },
  not_found: { status: 404, title: 'There is nothing at this address' },
  lease_not_found: { status: 404, title: 'There is no such lease' },
  control_room_not_found: { status: 404, title: 'There is no such Control Room' },
  api_token_not_found: { status: 404, title: 'There is no such API token' },
  license_not_found: { status: 404, title: 'There is no such license' },
  offline_return_unknown: { status: 404, title: 'Nothing that was lent belongs to this return' },
  entitlement_not_found: { status: 404, title: 'No license entitles to this feature of this product' },
  method_not_allowed: { status: 405, title: 'This address does not take this method' },
  no_seat_available: { status: 409, title: 'Not enough seats are free' },
  control_room_registered: { status: 409, title: 'This Control Room is registered with another token' },
  api_token_exists: { status: 409, title: 'There is a different API token of this name' },
  token_in_use: { status: 409, title: 'This token is in use for something else' },
  too_many_tokens: { status: 409, title: 'The Control Room has as many tokens as it may have' },
  last_admin_token: { status: 409, title: 'This is the last token of an administrator' },
  queue_full: { status: 409, title: 'Too many are waiting for seats already' },
  more_reserved_than_sold: { status: 409, title: 'More seats would be reserved than were sold' },
  reserved_seats_in_use: { status: 409, title: 'Others have taken the seats that would be reserved' },
  reservation_of_license: { status: 409, title: 'The license itself makes this reservation' },
  license_replayed: { status: 409, title: 'A later issue of this license is in force' },
  license_issue_reused: { status: 409, title: 'This issue of the license is in force with another content' },
  license_kind_changed: { status: 409, title: 'A license does not change its kind' },
  license_key_in_use: { status: 409, title: 'Another license has the same license key' },
  license_shrinks_below_use: { status: 409, title: 'The license takes away seats that are in use' },
  offline_file_of_another: { status: 409, title: 'The file is of another Control Room' },
  offline_nonce_reused: { status: 409, title: 'Another request was made with this nonce' },
  lease_conflict: { status: 409, title: 'The lease id is in use for a different request' },
  lease_expired: { status: 410, title: 'The lease has expired' },
  lease_released: { status: 410, title: 'The lease has been released' },
  body_too_large: { status: 413, title: 'The body is too large' },
  uri_too_long: { status: 414, title: 'URI Too Long' },
  unsupported_media_type: { status: 415, title: 'The body is of a media type that is not taken here' },
  session_full: { status: 409, title: 'The session holds as many leases as one session may' },
  license_wrong_server: { status: 421, title: 'The license is dedicated to other servers' },
  license_unreadable: { status: 422, title: 'The license file cannot be read' },
  license_ambiguous: { status: 422, title: 'Several licenses provide this feature' },
  borrow_too_long: { status: 422, title: 'Seats may not be borrowed for so long' },
  invalid_request: { status: 422, title: 'The request is not valid' },
  upgrade_required: { status: 426, title: 'A WebSocket with the subprotocol evergrant.v1 is spoken here' },
  offline_file_unreadable: { status: 422, title: 'The file cannot be read' },
  rate_limited: { status: 429, title: 'Too many requests' },
  internal_error: { status: 500, title: 'The server met a fault of its own' },
  not_granting: { status: 503, title: 'This server does not grant now' },
  no_quorum: { status: 503, title: 'Too few of the three servers of the license can be seen' },
  outcome_unknown: {
    status: 503,
    title: 'The database did not say whether this happened; the same request may be sent again',
  },
  overloaded: { status: 503, title: 'Too many requests are waiting' },
  too_many_sessions: { status: 503, title: 'This server has as many sessions as it may' },
  not_protected: {
    status: 503,
    title: 'The other region has not confirmed this in time; the same request finds it and waits again',
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

/** A problem document as an answer, for whatever connection it is to travel on. */
export function problemReply(code: ProblemCode, extras: ProblemExtras = {}): Reply {
  const { detail, retryAfterSeconds, members } = extras;
  const document = { ...problem(code, PROBLEMS[code]), ...(detail === undefined ? {} : { detail }), ...members };
  return {
    status: document.status,
    body: document,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  };
}

/** Answers with a problem document. */
export function sendProblem(reply: FastifyReply, code: ProblemCode, extras: ProblemExtras = {}): FastifyReply {
  return sendReply(reply, problemReply(code, extras));
}

/** Answers with what HTTP itself says about a status, for the refusals that have no code of ours. */
export function sendStatusProblem(reply: FastifyReply, status: number): FastifyReply {
  return sendReply(reply, { status, body: statusProblem(status) });
}

/** Its code is HTTP's own phrase: 414 is `uri_too_long`. */
export function statusProblem(status: number): Static<typeof Problem> {
  const title = STATUS_CODES[status] ?? `HTTP ${status}`;
  const code = title.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_');
  return problem(code, { status, title });
}

function problem(code: string, { status, title }: { status: number; title: string }): Static<typeof Problem> {
  return { type: `urn:evergrant:problem:${code}`, title, status, code };
}

/** Puts an answer on its way over HTTP. What is 400 or more is a problem document. */
export function sendReply(reply: FastifyReply, { status, body, retryAfterSeconds }: Reply): FastifyReply {
  if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds);
  if (status >= 400) reply.header('content-type', PROBLEM_TYPE).serializer(JSON.stringify);
  return reply.code(status).send(body);
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

/** Why nothing is granted at the moment, by whichever route seats are asked for: come back later, or elsewhere. */
export const UNAVAILABLE = [
  'not_granting',
  'not_protected',
  'no_quorum',
  'outcome_unknown',
  'overloaded',
  'database_unreachable',
] as const;
