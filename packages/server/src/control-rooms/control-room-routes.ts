import type { Static } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Authenticate } from '../auth/authentication';
import type { AppOptions } from '../platform/http/app-options';
import { Empty } from '../platform/http/fields';
import { acknowledgedReply, mutatingRoute } from '../platform/http/mutating-route';
import { refusalReply } from '../platform/http/problem-mapping';
import { problemReply, problemResponses, sendProblem } from '../platform/http/problems';
import { PAGE_SIZE_DEFAULT } from '../platform/http/schemas';
import {
  ControlRoom,
  ControlRoomParams,
  ControlRooms,
  ControlRoomsQuery,
  GroupBody,
  HeartbeatRecorded,
  RecoveryBody,
  RecoveryOpened,
} from './control-room-schemas';
import { heartbeatAfterSeconds } from './core/state-policy';

type ControlRoomRouteOptions = AppOptions & { readonly authenticate: Authenticate };

const TAGS = ['control rooms'];
const SECURITY = [{ bearer: [] }];
const VALIDATION = ['invalid_request', 'malformed_body'] as const;
const ACCESS = ['unauthenticated', 'forbidden'] as const;
const UNAVAILABLE = ['not_granting', 'not_protected', 'outcome_unknown', 'overloaded', 'database_unreachable'] as const;
const OPEN_FOR_SECONDS_DEFAULT = 3_600;

/** Routes for heartbeats, recovery and groups of Control Rooms, and for reading Control Rooms. */
export function controlRoomRoutes(routes: FastifyInstance, options: ControlRoomRouteOptions): void {
  heartbeatRoute(routes, options);
  recoveryRoute(routes, options);
  groupRoute(routes, options);
  queryRoutes(routes, options);
}

function heartbeatRoute(routes: FastifyInstance, options: ControlRoomRouteOptions): void {
  mutatingRoute<{ Params: Static<typeof ControlRoomParams> }>(routes, {
    method: 'POST',
    url: '/v1/control-rooms/:controlRoom/heartbeat',
    acknowledges: ['own_proof'],
    schema: {
      tags: TAGS,
      summary: 'Record a heartbeat of a Control Room',
      description:
        'Every other use of the token counts as a heartbeat too. A Control Room that was only silent becomes active again.',
      security: SECURITY,
      params: ControlRoomParams,
      response: {
        200: HeartbeatRecorded,
        ...problemResponses(...VALIDATION, ...ACCESS, 'control_room_not_found', ...UNAVAILABLE),
      },
    },
    onRequest: options.authenticate('lease'),
    answer: async (request) => {
      const { controlRoom, controlRoomState: state = 'active', graceSeconds = 0 } = request.caller;
      if (controlRoom !== request.params.controlRoom.toLowerCase()) return problemReply('control_room_not_found');
      // A server that does not grant records nothing. The reply leads the Control Room to the server that does.
      const heartbeatAfter = heartbeatAfterSeconds(graceSeconds);
      const answer = options.registrations.acknowledgeHeartbeat({ controlRoom, state, heartbeatAfter });
      if (answer.kind !== 'acknowledged') return refusalReply(answer, options);
      return acknowledgedReply(answer, { status: 200, body: answer.value });
    },
  });
}

function recoveryRoute(routes: FastifyInstance, options: ControlRoomRouteOptions): void {
  mutatingRoute<{ Params: Static<typeof ControlRoomParams>; Body: Static<typeof RecoveryBody> }>(routes, {
    method: 'POST',
    url: '/v1/control-rooms/:controlRoom/recovery',
    acknowledges: ['replicated'],
    schema: {
      tags: TAGS,
      summary: 'Recover the GUID of a destroyed Control Room',
      description: 'Revokes the tokens of the Control Room and accepts one new registration for a limited time.',
      security: SECURITY,
      params: ControlRoomParams,
      body: RecoveryBody,
      response: {
        200: RecoveryOpened,
        ...problemResponses(...VALIDATION, ...ACCESS, 'control_room_not_found', ...UNAVAILABLE),
      },
    },
    onRequest: options.authenticate('admin'),
    answer: async (request) => {
      const controlRoom = request.params.controlRoom.toLowerCase();
      const { reason, openForSeconds = OPEN_FOR_SECONDS_DEFAULT } = request.body;
      const attribution = { actor: request.caller.name, reason };
      const verdict = await options.registrations.recover({ controlRoom, openForSeconds }, attribution);
      switch (verdict.kind) {
        case 'acknowledged': {
          const { recoverableUntil, tokensRevoked } = verdict.value;
          return acknowledgedReply(verdict, { status: 200, body: { controlRoom, recoverableUntil, tokensRevoked } });
        }
        case 'control_room_not_found':
          return problemReply(verdict.kind);
        default:
          return refusalReply(verdict, options);
      }
    },
  });
}

function groupRoute(routes: FastifyInstance, options: ControlRoomRouteOptions): void {
  mutatingRoute<{ Params: Static<typeof ControlRoomParams>; Body: Static<typeof GroupBody> }>(routes, {
    method: 'PUT',
    url: '/v1/control-rooms/:controlRoom/group',
    acknowledges: ['replicated'],
    schema: {
      tags: TAGS,
      summary: 'Assign a Control Room to a group, or remove it from its group',
      security: SECURITY,
      params: ControlRoomParams,
      body: GroupBody,
      response: {
        204: Empty,
        ...problemResponses(...VALIDATION, ...ACCESS, 'control_room_not_found', ...UNAVAILABLE),
      },
    },
    onRequest: options.authenticate('admin'),
    answer: async (request) => {
      const { group, reason } = request.body;
      const assignment = { controlRoom: request.params.controlRoom.toLowerCase(), group };
      const verdict = await options.registrations.assignGroup(assignment, { actor: request.caller.name, reason });
      switch (verdict.kind) {
        case 'acknowledged':
          return acknowledgedReply(verdict, { status: 204 });
        case 'control_room_not_found':
          return problemReply(verdict.kind);
        default:
          return refusalReply(verdict, options);
      }
    },
  });
}

/** A caller that is bound to a license sees the Control Rooms of that license; any other caller sees all. */
function queryRoutes(routes: FastifyInstance, options: ControlRoomRouteOptions): void {
  const { authenticate, database } = options;
  routes.get<{ Querystring: Static<typeof ControlRoomsQuery> }>(
    '/v1/control-rooms',
    {
      schema: {
        tags: TAGS,
        summary: 'Read Control Rooms and their use',
        security: SECURITY,
        querystring: ControlRoomsQuery,
        response: { 200: ControlRooms, ...problemResponses(...ACCESS, 'invalid_request', 'database_unreachable') },
      },
      onRequest: authenticate('read', 'admin'),
    },
    async (request) => {
      const { cursor, limit: limitText, ...requested } = request.query;
      const limit = limitText === undefined ? PAGE_SIZE_DEFAULT : Number(limitText);
      const ownLicense = request.caller.licenseId;
      if (ownLicense !== undefined && (requested.licenseId ?? ownLicense) !== ownLicense) {
        return { controlRooms: [], nextCursor: null };
      }
      const filter = { ...requested, licenseId: ownLicense ?? requested.licenseId, after: cursor, limit };
      const controlRooms = await database.controlRooms.read(filter);
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
        summary: 'Read one Control Room',
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
  const [room] = await database.controlRooms.read({ controlRoom, licenseId, limit: 1 });
  return room ? reply.send(room) : sendProblem(reply, 'control_room_not_found');
}
