import type { Static } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { licenseKeySha256 } from '../../license-files/license-key';
import { heartbeatAfterSeconds } from '../core/control-room';
import type { AppOptions } from './app-options';
import type { Authenticate } from './authentication';
import { problemResponses, sendProblem, sendReply } from './problems';
import { refusalReply } from './refusals';
import {
  ControlRoom,
  ControlRoomParams,
  ControlRooms,
  ControlRoomsQuery,
  Empty,
  GroupBody,
  RecoveryBody,
  RecoveryOpened,
  Registered,
  RegistrationBody,
  Rotated,
  RotationBody,
} from './registry-schemas';
import { PAGE_SIZE_DEFAULT } from './schemas';

type ControlRoomRouteOptions = AppOptions & { readonly authenticate: Authenticate };

const TAGS = ['control rooms'];
const SECURITY = [{ bearer: [] }];
const VALIDATION = ['invalid_request', 'malformed_body'] as const;
const ACCESS = ['unauthenticated', 'forbidden'] as const;
const UNAVAILABLE = ['not_granting', 'outcome_unknown', 'overloaded', 'database_unreachable'] as const;
const OPEN_FOR_SECONDS_DEFAULT = 3_600;

/** How to get in again: said to whoever has the license key, and so may know it. */
const HOW_TO_RECOVER =
  'If the Control Room was destroyed, an administrator opens one more registration: ' +
  'npx evergrant control-room recover GUID --reason "…"';

/** Registration, rotation, recovery, and who there is. */
export function controlRoomRoutes(routes: FastifyInstance, options: ControlRoomRouteOptions): void {
  registrationRoute(routes, options);
  rotationRoute(routes, options);
  recoveryRoute(routes, options);
  groupRoute(routes, options);
  readingRoutes(routes, options);
}

function registrationRoute(routes: FastifyInstance, options: ControlRoomRouteOptions): void {
  routes.put<{ Params: Static<typeof ControlRoomParams>; Body: Static<typeof RegistrationBody> }>(
    '/v1/control-rooms/:controlRoom',
    {
      schema: {
        tags: TAGS,
        summary: 'Register a Control Room',
        description:
          'The license key is the credential. The Control Room draws a token, keeps it, and sends its hash; the same ' +
          'request again, after a lost answer or the loss of a region, is the same registration.',
        params: ControlRoomParams,
        body: RegistrationBody,
        response: {
          200: Registered,
          201: Registered,
          ...problemResponses(
            ...VALIDATION,
            'license_key_unknown',
            'license_not_valid',
            'license_of_another_control_room',
            'control_room_registered',
            'token_in_use',
            ...UNAVAILABLE,
          ),
        },
      },
    },
    async (request, reply) => {
      const { licenseKey, name, group, tokenSha256 } = request.body;
      const controlRoom = request.params.controlRoom.toLowerCase();
      const verdict = await options.registry.register({
        controlRoom,
        licenseKeySha256: licenseKeySha256(licenseKey),
        name,
        group,
        tokenSha256: tokenSha256.toLowerCase(),
      });
      switch (verdict.kind) {
        case 'registered':
        case 'recovered':
        case 'known': {
          const { licenseId, tokenName, graceSeconds } = verdict;
          const heartbeatAfter = heartbeatAfterSeconds(graceSeconds);
          return reply
            .code(verdict.kind === 'known' ? 200 : 201)
            .send({ controlRoom, licenseId, tokenName, heartbeatAfter });
        }
        case 'control_room_registered':
          return sendProblem(reply, verdict.kind, { detail: HOW_TO_RECOVER });
        case 'license_key_unknown':
        case 'license_not_valid':
        case 'license_of_another_control_room':
        case 'token_in_use':
          return sendProblem(reply, verdict.kind);
        default:
          return sendReply(reply, refusalReply(verdict, options));
      }
    },
  );
}

function rotationRoute(routes: FastifyInstance, options: ControlRoomRouteOptions): void {
  routes.post<{ Params: Static<typeof ControlRoomParams>; Body: Static<typeof RotationBody> }>(
    '/v1/control-rooms/:controlRoom/tokens',
    {
      schema: {
        tags: TAGS,
        summary: 'Add a token of the Control Room',
        description:
          'With a token of the Control Room and the license key: a stolen token alone makes no further ones. Both work ' +
          'until the old one is retired.',
        security: SECURITY,
        params: ControlRoomParams,
        body: RotationBody,
        response: {
          200: Rotated,
          201: Rotated,
          ...problemResponses(
            ...VALIDATION,
            ...ACCESS,
            'license_key_unknown',
            'control_room_not_found',
            'token_in_use',
            'too_many_tokens',
            ...UNAVAILABLE,
          ),
        },
      },
      onRequest: options.authenticate('lease'),
    },
    async (request, reply) => {
      const controlRoom = request.params.controlRoom.toLowerCase();
      if (request.caller.controlRoom !== controlRoom) return sendProblem(reply, 'control_room_not_found');
      const { licenseKey, tokenSha256, retireOthersAfterSeconds } = request.body;
      const verdict = await options.registry.rotateToken(
        {
          controlRoom,
          licenseKeySha256: licenseKeySha256(licenseKey),
          tokenSha256: tokenSha256.toLowerCase(),
          retireOthersAfterSeconds,
        },
        { actor: request.caller.name },
      );
      switch (verdict.kind) {
        case 'created':
        case 'known':
          return reply.code(verdict.kind === 'known' ? 200 : 201).send({ tokenName: verdict.tokenName });
        case 'license_key_unknown':
        case 'token_in_use':
        case 'too_many_tokens':
          return sendProblem(reply, verdict.kind);
        default:
          return sendReply(reply, refusalReply(verdict, options));
      }
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
