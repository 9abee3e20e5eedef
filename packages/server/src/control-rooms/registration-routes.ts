import { licenseKeySha256, normalizedLicenseKey } from '@evergrant/formats/license/license-key';
import type { Static } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import type { Authenticate } from '../auth/authentication';
import type { AppOptions } from '../platform/http/app-options';
import { acknowledgedReply, mutatingRoute } from '../platform/http/mutating-route';
import { refusalReply } from '../platform/http/problem-mapping';
import { problemReply, problemResponses } from '../platform/http/problems';
import type { RateLimits } from '../platform/http/rate-limits';
import { ControlRoomParams, Registered, RegistrationBody, Rotated, RotationBody } from './control-room-schemas';
import { heartbeatAfterSeconds } from './core/state-policy';

type RegistrationRouteOptions = AppOptions & { readonly authenticate: Authenticate; readonly limits: RateLimits };

const TAGS = ['control rooms'];
const VALIDATION = ['invalid_request', 'malformed_body'] as const;
const UNAVAILABLE = ['not_granting', 'not_protected', 'outcome_unknown', 'overloaded', 'database_unreachable'] as const;

/** Advice for a destroyed Control Room. Only a caller with the license key gets it. */
const HOW_TO_RECOVER =
  'If the Control Room was destroyed, an administrator can open one more registration: ' +
  'npx evergrant control-room recover GUID --reason "…"';

const KEY_AS_GUID = problemReply('invalid_request', {
  detail: 'controlRoom is the license key; use a separate GUID, because the license key is a secret',
  members: { field: 'controlRoom', errors: [{ field: 'controlRoom', detail: 'is the license key' }] },
});

/**
 * Routes by which a Control Room registers tokens. The license key is the credential; only hashes of tokens are sent.
 */
export function registrationRoutes(routes: FastifyInstance, options: RegistrationRouteOptions): void {
  registrationRoute(routes, options);
  rotationRoute(routes, options);
}

function registrationRoute(routes: FastifyInstance, options: RegistrationRouteOptions): void {
  mutatingRoute<{ Params: Static<typeof ControlRoomParams>; Body: Static<typeof RegistrationBody> }>(routes, {
    method: 'PUT',
    url: '/v1/control-rooms/:controlRoom',
    acknowledges: ['replicated'],
    schema: {
      tags: TAGS,
      summary: 'Register a Control Room',
      description:
        'The license key is the credential. The Control Room generates a token, keeps it, and sends its hash. The ' +
        'same request can be repeated after a lost answer or the loss of a region.',
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
    answer: async (request) => {
      const tooMany = await options.limits.afterFailures('license_key', request);
      if (tooMany) return tooMany;
      const { licenseKey, name, group, tokenSha256 } = request.body;
      const controlRoom = request.params.controlRoom.toLowerCase();
      // Both are GUIDs, but the id of a Control Room is stored and shown in the clear.
      if (controlRoom === normalizedLicenseKey(licenseKey)) return KEY_AS_GUID;
      const verdict = await options.registrations.register({
        controlRoom,
        licenseKeySha256: licenseKeySha256(licenseKey),
        name,
        group,
        tokenSha256: tokenSha256.toLowerCase(),
      });
      switch (verdict.kind) {
        case 'acknowledged': {
          const { kind, licenseId, tokenName, graceSeconds } = verdict.value;
          const heartbeatAfter = heartbeatAfterSeconds(graceSeconds);
          return acknowledgedReply(verdict, {
            status: kind === 'known' ? 200 : 201,
            body: { controlRoom, licenseId, tokenName, heartbeatAfter },
          });
        }
        case 'control_room_registered':
          return problemReply(verdict.kind, { detail: HOW_TO_RECOVER });
        case 'license_key_unknown':
          await options.limits.failed('license_key', request);
          return problemReply(verdict.kind);
        case 'license_not_valid':
        case 'license_of_another_control_room':
        case 'token_in_use':
          return problemReply(verdict.kind);
        default:
          return refusalReply(verdict, options);
      }
    },
  });
}

function rotationRoute(routes: FastifyInstance, options: RegistrationRouteOptions): void {
  mutatingRoute<{ Params: Static<typeof ControlRoomParams>; Body: Static<typeof RotationBody> }>(routes, {
    method: 'POST',
    url: '/v1/control-rooms/:controlRoom/tokens',
    acknowledges: ['replicated'],
    schema: {
      tags: TAGS,
      summary: 'Add a token to the Control Room',
      description:
        'Requires a token of the Control Room and the license key, so a stolen token alone cannot create others. Both ' +
        'tokens work until the old one is retired.',
      security: [{ bearer: [] }],
      params: ControlRoomParams,
      body: RotationBody,
      response: {
        200: Rotated,
        201: Rotated,
        ...problemResponses(
          ...VALIDATION,
          'unauthenticated',
          'forbidden',
          'license_key_unknown',
          'control_room_not_found',
          'token_in_use',
          'too_many_tokens',
          ...UNAVAILABLE,
        ),
      },
    },
    onRequest: options.authenticate('lease'),
    answer: async (request) => {
      const controlRoom = request.params.controlRoom.toLowerCase();
      if (request.caller.controlRoom !== controlRoom) return problemReply('control_room_not_found');
      const tooMany = await options.limits.afterFailures('license_key', request);
      if (tooMany) return tooMany;
      const { licenseKey, tokenSha256, retireOthersAfterSeconds } = request.body;
      const verdict = await options.registrations.rotateToken(
        {
          controlRoom,
          licenseKeySha256: licenseKeySha256(licenseKey),
          tokenSha256: tokenSha256.toLowerCase(),
          retireOthersAfterSeconds,
        },
        { actor: request.caller.name },
      );
      switch (verdict.kind) {
        case 'acknowledged': {
          const { kind, tokenName } = verdict.value;
          return acknowledgedReply(verdict, { status: kind === 'known' ? 200 : 201, body: { tokenName } });
        }
        case 'license_key_unknown':
          await options.limits.failed('license_key', request);
          return problemReply(verdict.kind);
        case 'token_in_use':
        case 'too_many_tokens':
          return problemReply(verdict.kind);
        default:
          return refusalReply(verdict, options);
      }
    },
  });
}
