import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { HeldLease, LeaseAnswer, ReleaseAnswer } from '../duties/lease-desk';
import type { AppOptions } from './app-options';
import type { Authenticate } from './authentication';
import { problemResponses, sendProblem } from './problems';
import { sendRefusal } from './refusals';
import { CheckoutBody, HeldLease as HeldLeaseSchema, LeaseParams, TokenBody } from './schemas';

type LeaseRouteOptions = AppOptions & { readonly authenticate: Authenticate };

const COMMON_PROBLEMS = ['unauthenticated', 'forbidden', 'invalid_request', 'malformed_body'] as const;
const UNAVAILABLE = ['not_granting', 'outcome_unknown', 'overloaded', 'database_unreachable'] as const;
const SECURITY = [{ bearer: [] }];

/** Checkout, heartbeat, release. */
export function leaseRoutes(routes: FastifyInstance, options: LeaseRouteOptions): void {
  checkoutRoute(routes, options);
  heartbeatRoute(routes, options);
  releaseRoute(routes, options);
}

function checkoutRoute(routes: FastifyInstance, options: LeaseRouteOptions): void {
  routes.put<{ Params: Static<typeof LeaseParams>; Body: Static<typeof CheckoutBody> }>(
    '/v1/leases/:leaseId',
    {
      schema: {
        tags: ['leases'],
        summary: 'Check seats out',
        description:
          'The same request again answers with the same lease, while it is live. With the token of an earlier grant, a lease that was lost with a region is taken over and no new seat is taken.',
        security: SECURITY,
        params: LeaseParams,
        body: CheckoutBody,
        response: {
          201: HeldLeaseSchema,
          ...problemResponses(
            ...COMMON_PROBLEMS,
            'entitlement_not_found',
            'no_seat_available',
            'lease_conflict',
            'lease_expired',
            'lease_released',
            ...UNAVAILABLE,
          ),
        },
      },
      onRequest: options.authenticate('lease'),
    },
    async (request, reply) => {
      const leaseId = request.params.leaseId.toLowerCase();
      return sendLease(reply, 201, await options.desk.checkout({ ...request.body, leaseId }), options);
    },
  );
}

function heartbeatRoute(routes: FastifyInstance, options: LeaseRouteOptions): void {
  routes.post<{ Params: Static<typeof LeaseParams>; Body: Static<typeof TokenBody> }>(
    '/v1/leases/:leaseId/heartbeat',
    {
      schema: {
        tags: ['leases'],
        summary: 'Renew a lease',
        description:
          'Send the newest token along: after the loss of a region it proves the lease to a server that does not know it.',
        security: SECURITY,
        params: LeaseParams,
        body: TokenBody,
        response: {
          200: HeldLeaseSchema,
          ...problemResponses(...COMMON_PROBLEMS, 'lease_not_found', 'lease_expired', 'lease_released', ...UNAVAILABLE),
        },
      },
      onRequest: options.authenticate('lease'),
    },
    async (request, reply) => {
      const leaseId = request.params.leaseId.toLowerCase();
      return sendLease(reply, 200, await options.desk.heartbeat({ ...request.body, leaseId }), options);
    },
  );
}

function releaseRoute(routes: FastifyInstance, options: LeaseRouteOptions): void {
  routes.delete<{ Params: Static<typeof LeaseParams>; Body: Static<typeof TokenBody> }>(
    '/v1/leases/:leaseId',
    {
      schema: {
        tags: ['leases'],
        summary: 'Give seats back',
        description:
          'Idempotent. With its token, a lease that was lost with a region is recorded as released, so that it is never taken over.',
        security: SECURITY,
        params: LeaseParams,
        body: TokenBody,
        response: {
          204: Type.Null({ description: 'The lease has ended, now or before' }),
          ...problemResponses(...COMMON_PROBLEMS, 'lease_not_found', ...UNAVAILABLE),
        },
      },
      // An operator may take seats back.
      onRequest: options.authenticate('lease', 'admin'),
    },
    async (request, reply) => {
      const leaseId = request.params.leaseId.toLowerCase();
      return sendEnded(reply, await options.desk.release({ ...request.body, leaseId }), options);
    },
  );
}

function sendLease(reply: FastifyReply, status: 200 | 201, answer: LeaseAnswer, options: AppOptions): FastifyReply {
  switch (answer.kind) {
    case 'held':
      return reply.code(status).send(heldLease(answer, options.server));
    case 'no_seat_available': {
      const { seats, seatsFree } = answer;
      return sendProblem(reply, answer.kind, {
        detail: `${seatsFree} of ${seats} seats are free`,
        members: { seats, seatsFree },
      });
    }
    case 'entitlement_not_found':
    case 'lease_conflict':
    case 'lease_expired':
    case 'lease_released':
    case 'lease_not_found':
      return sendProblem(reply, answer.kind);
    default:
      return sendRefusal(reply, answer, options);
  }
}

function sendEnded(reply: FastifyReply, answer: ReleaseAnswer, options: AppOptions): FastifyReply {
  switch (answer.kind) {
    case 'ended':
      return reply.code(204).send();
    case 'lease_not_found':
      return sendProblem(reply, answer.kind);
    default:
      return sendRefusal(reply, answer, options);
  }
}

function heldLease({ lease, token, heartbeatAfterSeconds }: HeldLease, server: string): Static<typeof HeldLeaseSchema> {
  return {
    leaseId: lease.id,
    token,
    expiresAt: new Date(lease.expiresAtMs).toISOString(),
    heartbeatAfter: heartbeatAfterSeconds,
    epoch: lease.epoch,
    servedBy: server,
  };
}
