import { FILE_BYTES_MAX } from '@evergrant/formats/license/armor';
import { writeOfflineReceipt, writeOfflineResponse } from '@evergrant/formats/offline/signed';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import type { Authenticate } from '../auth/authentication';
import { ControlRoomParams } from '../control-rooms/control-room-schemas';
import { leaseReply } from '../granting/lease-calls';
import type { AppOptions } from '../platform/http/app-options';
import { acknowledgedReply, type MutationReply, mutatingRoute } from '../platform/http/mutating-route';
import { refusalReply } from '../platform/http/problem-mapping';
import { problemReply, problemResponses, UNAVAILABLE } from '../platform/http/problems';
import type { OfflineAnswer } from './offline-service';

type OfflineRouteOptions = AppOptions & { readonly authenticate: Authenticate };

const FileBody = Type.String({ minLength: 1, description: 'The armored file' });
const COMMON = ['invalid_request', 'unauthenticated', 'forbidden', 'control_room_not_found'] as const;
const CHECKOUT_PROBLEMS = [
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

/** Routes for the files that an administrator carries to and from an offline Control Room. */
export function offlineRoutes(routes: FastifyInstance, options: OfflineRouteOptions): void {
  // Only files are accepted here.
  routes.removeContentTypeParser('application/json');
  routes.addContentTypeParser('text/plain', { parseAs: 'string' }, (_request, body, done) => done(null, body));

  const shared = {
    tags: ['control rooms'],
    security: [{ bearer: [] }],
    consumes: ['text/plain'],
    params: ControlRoomParams,
    body: FileBody,
  };
  const fileResponse = (description: string) => ({
    200: { description, content: { 'text/plain': { schema: Type.String() } } },
  });
  const bodyLimit = FILE_BYTES_MAX;
  const onRequest = options.authenticate('admin');

  mutatingRoute<{ Params: Static<typeof ControlRoomParams>; Body: string }>(routes, {
    method: 'POST',
    url: '/v1/control-rooms/:controlRoom/offline-response',
    acknowledges: ['replicated'],
    bodyLimit,
    schema: {
      ...shared,
      summary: 'Lend seats to an offline Control Room',
      description:
        'Takes a request file and answers with a response file that lends the whole request, or nothing. The same ' +
        'request again gets the same response and no further seats.',
      response: {
        ...fileResponse('The response, signed with the lease key'),
        ...problemResponses(
          ...COMMON,
          'offline_file_unreadable',
          'offline_file_of_another',
          'offline_nonce_reused',
          ...CHECKOUT_PROBLEMS,
          ...UNAVAILABLE,
        ),
      },
    },
    onRequest,
    answer: async ({ params, body, caller }) => {
      const file = { controlRoom: params.controlRoom.toLowerCase(), text: body, submittedBy: caller };
      return fileReply(await options.offlineService.respond(file), { ...options, armor: writeOfflineResponse });
    },
  });

  mutatingRoute<{ Params: Static<typeof ControlRoomParams>; Body: string }>(routes, {
    method: 'POST',
    url: '/v1/control-rooms/:controlRoom/offline-return',
    acknowledges: ['replicated'],
    bodyLimit,
    schema: {
      ...shared,
      summary: 'Take back the seats of an offline Control Room',
      description: 'Takes a return file, ends its leases, and answers with a receipt. Idempotent.',
      response: {
        ...fileResponse('The receipt, signed with the lease key'),
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
    answer: async ({ params, body, caller }) => {
      const file = { controlRoom: params.controlRoom.toLowerCase(), text: body, submittedBy: caller };
      return fileReply(await options.offlineService.takeBack(file), { ...options, armor: writeOfflineReceipt });
    },
  });
}

function fileReply(
  answer: OfflineAnswer,
  options: AppOptions & { readonly armor: (jws: string) => string },
): MutationReply {
  switch (answer.kind) {
    case 'acknowledged':
      return acknowledgedReply(answer, { status: 200, text: options.armor(answer.value) });
    case 'offline_file_unreadable':
      return problemReply(answer.kind, { detail: answer.reason });
    case 'offline_file_of_another':
      return problemReply(answer.kind, { detail: `the file belongs to Control Room ${answer.controlRoom}` });
    case 'not_lent': {
      const refused = leaseReply(201, answer.answer, options);
      return { ...refused, body: { ...refused.body, feature: answer.feature } };
    }
    case 'control_room_not_found':
      return problemReply(answer.kind, {
        detail: 'the Control Room is not registered, and no license of kind guid names it',
      });
    case 'offline_nonce_reused':
    case 'license_ambiguous':
    case 'license_not_valid':
    case 'offline_return_unknown':
      return problemReply(answer.kind);
    default:
      return refusalReply(answer, options);
  }
}
