import type { Static } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Authenticate } from '../auth/authentication';
import type { AppOptions } from '../platform/http/app-options';
import { refusalReply } from '../platform/http/problem-mapping';
import { problemResponses, sendProblem, sendReply } from '../platform/http/problems';
import { PAGE_SIZE_DEFAULT } from '../platform/http/schemas';
import { heartbeatAfterSeconds } from './core/control-room';
import {
  ControlRoom,
  ControlRoomParams,
  ControlRooms,
  ControlRoomsQuery,
  Empty,
  GroupBody,
  Heard,
  RecoveryBody,
  RecoveryOpened,
} from './registry-schemas';

type ControlRoomRouteOptions = AppOptions & { readonly authenticate: Authenticate };

const TAGS = ['control rooms'];
const SECURITY = [{ bearer: [] }];
const VALIDATION = ['invalid_request', 'malformed_body'] as const;
const ACCESS = ['unauthenticated', 'forbidden'] as const;
const UNAVAILABLE = ['not_granting', 'outcome_unknown', 'overloaded', 'database_unreachable'] as const;
const OPEN_FOR_SECONDS_DEFAULT = 3_600;

/** Heartbeats, recovery, groups, and who there is. */
export function controlRoomRoutes(routes: FastifyInstance, options: ControlRoomRouteOptions): void {
  heartbeatRoute(routes, options);
  recoveryRoute(routes, options);
  groupRoute(routes, options);
  readingRoutes(routes, options);
}

function heartbeatRoute(routes: FastifyInstance, options: ControlRoomRouteOptions): void {
  routes.post<{ Params: Static<typeof ControlRoomParams> }>(
    '/v1/control-rooms/:controlRoom/heartbeat',
    {
      schema: {
        tags: TAGS,
        summary: 'Say that a Control Room lives',
        description:
          'Every use of its token says so too. One that was given up for its silence is active again with that.',
        security: SECURITY,
        params: ControlRoomParams,
        response: {
          200: Heard,
          ...problemResponses(...VALIDATION, ...ACCESS, 'control_room_not_found', ...UNAVAILABLE),
        },
      },
      onRequest: options.authenticate('lease'),
    },
    async (request, reply) => {
      const { controlRoom, controlRoomState: state = 'active', graceSeconds = 0 } = request.caller;
      if (controlRoom !== request.params.controlRoom.toLowerCase()) return sendProblem(reply, 'control_room_not_found');
      // Who does not grant does not write it down: the Control Room belongs where licenses are granted.
      const refusal = options.registry.refusal();
      if (refusal) return sendReply(reply, refusalReply(refusal, options));
      return reply.send({ controlRoom, state, heartbeatAfter: heartbeatAfterSeconds(graceSeconds) });
    },
  );
}

function recoveryRoute(routes: FastifyInstance, options: ControlRoomRouteOptions): void {
  routes.post<{ Params: Static<typeof ControlRoomParams>; Body: Static<typeof RecoveryBody> }>(
    '/v1/control-rooms/:controlRoom/recovery',
    {
      schema: {
        tags: TAGS,
        summary: 'Recover the GUID of a Control Room that was destroyed',
        description: 'Its tokens are revoked, and one registration is open for a limited time.',
        security: SECURITY,
        params: ControlRoomParams,
        body: RecoveryBody,
        response: {
          200: RecoveryOpened,
          ...problemResponses(...VALIDATION, ...ACCESS, 'control_room_not_found', ...UNAVAILABLE),
        },
      },
      onRequest: options.authenticate('admin'),
    },
    async (request, reply) => {
      const controlRoom = request.params.controlRoom.toLowerCase();
      const { reason, openForSeconds = OPEN_FOR_SECONDS_DEFAULT } = request.body;
      const change = { actor: request.caller.name, reason };
      const verdict = await options.registry.recover({ controlRoom, openForSeconds }, change);
      switch (verdict.kind) {
        case 'opened': {
          const { recoverableUntil, tokensRevoked } = verdict;
          return reply.send({ controlRoom, recoverableUntil, tokensRevoked });
        }
        case 'control_room_not_found':
          return sendProblem(reply, verdict.kind);
        default:
          return sendReply(reply, refusalReply(verdict, options));
      }
    },
  );
}

function groupRoute(routes: FastifyInstance, options: ControlRoomRouteOptions): void {
  routes.put<{ Params: Static<typeof ControlRoomParams>; Body: Static<typeof GroupBody> }>(
    '/v1/control-rooms/:controlRoom/group',
    {
      schema: {
        tags: TAGS,
        summary: 'Put a Control Room into a group, or take it out of one',
        security: SECURITY,
        params: ControlRoomParams,
        body: GroupBody,
        response: {
          204: Empty,
          ...problemResponses(...VALIDATION, ...ACCESS, 'control_room_not_found', ...UNAVAILABLE),
        },
      },
      onRequest: options.authenticate('admin'),
    },
    async (request, reply) => {
      const { group, reason } = request.body;
      const move = { controlRoom: request.params.controlRoom.toLowerCase(), group };
      const verdict = await options.registry.setGroup(move, { actor: request.caller.name, reason });
      switch (verdict.kind) {
        case 'changed':
          return reply.code(204).send();
        case 'control_room_not_found':
          return sendProblem(reply, verdict.kind);
        default:
          return sendReply(reply, refusalReply(verdict, options));
      }
    },
  );
}

/** A Control Room sees those of its own license, with what they use; everybody else sees all. */
function readingRoutes(routes: FastifyInstance, options: ControlRoomRouteOptions): void {
  const { authenticate, database } = options;
  routes.get<{ Querystring: Static<typeof ControlRoomsQuery> }>(
    '/v1/control-rooms',
    {
      schema: {
        tags: TAGS,
        summary: 'Control Rooms and what they use',
        security: SECURITY,
        querystring: ControlRoomsQuery,
        response: { 200: ControlRooms, ...problemResponses(...ACCESS, 'invalid_request', 'database_unreachable') },
      },
      onRequest: authenticate('read', 'admin'),
    },
    async (request) => {
      const { cursor, limit: limitText, ...asked } = request.query;
      const limit = limitText === undefined ? PAGE_SIZE_DEFAULT : Number(limitText);
      const ownLicense = request.caller.licenseId;
      if (ownLicense !== undefined && (asked.licenseId ?? ownLicense) !== ownLicense) {
        return { controlRooms: [], nextCursor: null };
      }
      const filter = { ...asked, licenseId: ownLicense ?? asked.licenseId, after: cursor, limit };
      const controlRooms = await database.registry.readControlRooms(filter);
      return {
        controlRooms,
        nextCursor: controlRooms.length === limit ? (controlRooms.at(-1)?.controlRoom ?? null) : null,
      };
    },
  );

  routes.get<{ Params: Static<typeof ControlRoomParams> }>(
    '/v1/control-rooms/:controlRoom',
    {
      schema: {
        tags: TAGS,
        summary: 'One Control Room',
        security: SECURITY,
        params: ControlRoomParams,
        response: {
          200: ControlRoom,
          ...problemResponses(...ACCESS, 'invalid_request', 'control_room_not_found', 'database_unreachable'),
        },
      },
      onRequest: authenticate('read', 'admin'),
    },
    async (request, reply) => sendRoom(reply, request.params.controlRoom, request.caller.licenseId, options),
  );
}

async function sendRoom(
  reply: FastifyReply,
  controlRoom: string,
  licenseId: string | undefined,
  { database }: AppOptions,
): Promise<FastifyReply> {
  const [room] = await database.registry.readControlRooms({ controlRoom, licenseId, limit: 1 });
  return room ? reply.send(room) : sendProblem(reply, 'control_room_not_found');
}
