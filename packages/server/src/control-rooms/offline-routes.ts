import { FILE_BYTES_MAX } from '@evergrant/formats/license/armor';
import { writeOfflineReceipt, writeOfflineResponse } from '@evergrant/formats/offline/signed';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Authenticate } from '../auth/authentication';
import { leaseReply } from '../granting/lease-calls';
import type { AppOptions } from '../platform/http/app-options';
import { refusalReply } from '../platform/http/problem-mapping';
import { problemResponses, sendProblem, sendReply, UNAVAILABLE } from '../platform/http/problems';
import type { OfflineAnswer } from './offline-service';
import { ControlRoomParams } from './registry-schemas';

type OfflineRouteOptions = AppOptions & { readonly authenticate: Authenticate };

const FileBody = Type.String({ minLength: 1, description: 'The armoured file, as it was made' });
const COMMON = ['invalid_request', 'unauthenticated', 'forbidden', 'control_room_not_found'] as const;
const NOT_LENT = [
  'no_seat_available',
  'borrow_too_long',
  'entitlement_not_found',
  'license_not_valid',
  'license_ambiguous',
  'control_room_fail_safe',
  'control_room_suspended',
  'wrong_control_room',
  'lease_conflict',
] as const;

/** Files instead of a network: what an administrator carries to and from an offline Control Room. */
export function offlineRoutes(routes: FastifyInstance, options: OfflineRouteOptions): void {
  // These are files, and nothing else is taken here.
  routes.removeContentTypeParser('application/json');
  routes.addContentTypeParser('text/plain', { parseAs: 'string' }, (_request, body, done) => done(null, body));

  const shared = {
    tags: ['control rooms'],
    security: [{ bearer: [] }],
    consumes: ['text/plain'],
    params: ControlRoomParams,
    body: FileBody,
  };
  const file = (description: string) => ({
    200: { description, content: { 'text/plain': { schema: Type.String() } } },
  });
  const bodyLimit = FILE_BYTES_MAX;
  const onRequest = options.authenticate('admin');

  routes.post<{ Params: Static<typeof ControlRoomParams>; Body: string }>(
    '/v1/control-rooms/:controlRoom/offline-response',
    {
      bodyLimit,
      schema: {
        ...shared,
        summary: 'Lend seats to an offline Control Room',
        description:
          'Takes its request file and answers with a response file: all that it asks for, or nothing. The same request ' +
          'again gets the same response, and no further seats.',
        response: {
          ...file('The response, signed with the key of lease tokens'),
          ...problemResponses(
            ...COMMON,
            'offline_file_unreadable',
            'offline_file_of_another',
            'offline_nonce_reused',
            ...NOT_LENT,
            ...UNAVAILABLE,
          ),
        },
      },
      onRequest,
    },
    async ({ params, body, caller }, reply) => {
      const brought = { controlRoom: params.controlRoom.toLowerCase(), text: body, by: caller };
      return sendFile(reply, await options.offline.respond(brought), { ...options, armoured: writeOfflineResponse });
    },
  );

  routes.post<{ Params: Static<typeof ControlRoomParams>; Body: string }>(
    '/v1/control-rooms/:controlRoom/offline-return',
    {
      bodyLimit,
      schema: {
        ...shared,
        summary: 'Take back what was lent to an offline Control Room',
        description: 'Takes its return file, ends the leases, and answers with a receipt. Idempotent.',
        response: {
          ...file('The receipt, signed with the key of lease tokens'),
          ...problemResponses(
            ...COMMON,
            'offline_file_unreadable',
            'offline_file_of_another',
            'offline_return_unknown',
            ...UNAVAILABLE,
          ),
        },
      },
      onRequest,
    },
    async ({ params, body, caller }, reply) => {
      const brought = { controlRoom: params.controlRoom.toLowerCase(), text: body, by: caller };
      return sendFile(reply, await options.offline.takeBack(brought), { ...options, armoured: writeOfflineReceipt });
    },
  );
}

function sendFile(
  reply: FastifyReply,
  answer: OfflineAnswer,
  options: AppOptions & { readonly armoured: (jws: string) => string },
): FastifyReply {
  switch (answer.kind) {
    case 'answered':
      return reply.type('text/plain; charset=utf-8').serializer(String).send(options.armoured(answer.jws));
    case 'offline_file_unreadable':
      return sendProblem(reply, answer.kind, { detail: answer.because });
    case 'offline_file_of_another':
      return sendProblem(reply, answer.kind, { detail: `it is of ${answer.controlRoom}` });
    case 'not_lent': {
      const refused = leaseReply(201, answer.answer, options);
      return sendReply(reply, { ...refused, body: { ...refused.body, feature: answer.feature } });
    }
    case 'control_room_not_found':
      return sendProblem(reply, answer.kind, {
        detail: 'it has not registered, and no license of one Control Room names it',
      });
    case 'offline_nonce_reused':
    case 'license_ambiguous':
    case 'license_not_valid':
    case 'offline_return_unknown':
      return sendProblem(reply, answer.kind);
    default:
      return sendReply(reply, refusalReply(answer, options));
  }
}
