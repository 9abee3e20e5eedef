import type { Static } from '@sinclair/typebox';
import { Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import type { Authenticate } from '../auth/authentication';
import type { AppOptions } from '../platform/http/app-options';
import { mutatingRoute } from '../platform/http/mutating-route';
import { problemResponses, UNAVAILABLE } from '../platform/http/problems';
import { HeldPlace as HeldPlaceSchema } from '../queue/schemas';
import type { LeaseCalls } from './lease-calls';
import { CheckoutBody, HeldLease as HeldLeaseSchema, LeaseParams, ReleaseBody, TokenBody } from './schemas';

type LeaseRouteOptions = AppOptions & { readonly authenticate: Authenticate; readonly calls: LeaseCalls };

const COMMON_PROBLEMS = ['unauthenticated', 'forbidden', 'invalid_request', 'malformed_body'] as const;
const TAKING_PROBLEMS = [
  'license_not_valid',
  'wrong_control_room',
  'control_room_suspended',
  'control_room_fail_safe',
] as const;
const SECURITY = [{ bearer: [] }];

/** Checkout, heartbeat, release. */
export function leaseRoutes(routes: FastifyInstance, options: LeaseRouteOptions): void {
  checkoutRoute(routes, options);
  heartbeatRoute(routes, options);
  releaseRoute(routes, options);
}

function checkoutRoute(routes: FastifyInstance, options: LeaseRouteOptions): void {
  mutatingRoute<{ Params: Static<typeof LeaseParams>; Body: Static<typeof CheckoutBody> }>(routes, {
    method: 'PUT',
    url: '/v1/leases/:leaseId',
    acknowledges: ['escrow', 'own_proof'],
    schema: {
      tags: ['leases'],
      summary: 'Check seats out',
      description:
        'A repeated request returns the same lease while it is live. With the token of an earlier grant, a lease that was lost with a region is adopted, and no new seat is taken.',
      security: SECURITY,
      params: LeaseParams,
      body: CheckoutBody,
      response: {
        201: HeldLeaseSchema,
        202: HeldPlaceSchema,
        ...problemResponses(
          ...COMMON_PROBLEMS,
          'license_ambiguous',
          'license_tampered',
          'license_unknown_key',
          'license_not_for_this_deployment',
          'wrong_license',
          ...TAKING_PROBLEMS,
          'entitlement_not_found',
          'no_seat_available',
          'queue_full',
          'borrow_too_long',
          'lease_conflict',
          'lease_expired',
          'lease_released',
          ...UNAVAILABLE,
        ),
      },
    },
    onRequest: options.authenticate('lease'),
    answer: (request) => options.calls.checkout({ ...request.body, ...request.params }, request.caller),
  });
}

function heartbeatRoute(routes: FastifyInstance, options: LeaseRouteOptions): void {
  mutatingRoute<{ Params: Static<typeof LeaseParams>; Body: Static<typeof TokenBody> }>(routes, {
    method: 'POST',
    url: '/v1/leases/:leaseId/heartbeat',
    acknowledges: ['escrow'],
    schema: {
      tags: ['leases'],
      summary: 'Renew a lease',
      description:
        'Include the newest token. After the loss of a region it proves the lease to a server that does not know the lease.',
      security: SECURITY,
      params: LeaseParams,
      body: TokenBody,
      response: {
        200: HeldLeaseSchema,
        ...problemResponses(
          ...COMMON_PROBLEMS,
          'license_not_valid',
          'control_room_suspended',
          'license_ambiguous',
          'license_tampered',
          'license_unknown_key',
          'license_not_for_this_deployment',
          'lease_not_found',
          'lease_expired',
          'lease_released',
          ...UNAVAILABLE,
        ),
      },
    },
    onRequest: options.authenticate('lease'),
    answer: (request) => options.calls.heartbeat({ ...request.body, ...request.params }, request.caller),
  });
}

function releaseRoute(routes: FastifyInstance, options: LeaseRouteOptions): void {
  mutatingRoute<{ Params: Static<typeof LeaseParams>; Body: Static<typeof ReleaseBody> }>(routes, {
    method: 'DELETE',
    url: '/v1/leases/:leaseId',
    acknowledges: ['own_proof', 'restriction'],
    schema: {
      tags: ['leases'],
      summary: 'Release seats',
      description:
        'Idempotent. Also leaves the queue. With its token, a lease that was lost with a region is recorded as released, so that it is never adopted. Without a token, or with one from before the lease was returned to another checkout of the same identity, that checkout keeps the lease. With a reason, which requires the scope `admin`, the seats are taken back from their holder.',
      security: SECURITY,
      params: LeaseParams,
      body: ReleaseBody,
      response: {
        204: Type.Null({ description: 'The lease has ended for this holder, now or before' }),
        ...problemResponses(...COMMON_PROBLEMS, 'lease_not_found', ...UNAVAILABLE),
      },
    },
    // An administrator may take seats back.
    onRequest: options.authenticate('lease', 'admin'),
    answer: (request) => options.calls.release({ ...request.body, ...request.params }, request.caller),
  });
}
