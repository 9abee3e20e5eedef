import type { Static } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';
import type { Authenticate } from '../auth/authentication';
import type { AppOptions } from '../platform/http/app-options';
import { acknowledgedReply, mutatingRoute } from '../platform/http/mutating-route';
import { refusalReply } from '../platform/http/problem-mapping';
import { problemReply, problemResponses } from '../platform/http/problems';
import { ReservationBody, Reservations, ReservationsQuery, Reserved } from './reservation-schemas';

type ReservationRouteOptions = AppOptions & { readonly authenticate: Authenticate };

const TAGS = ['control rooms'];
const SECURITY = [{ bearer: [] }];
const COMMON = ['invalid_request', 'malformed_body', 'unauthenticated', 'forbidden'] as const;
const UNAVAILABLE = ['not_granting', 'not_protected', 'outcome_unknown', 'overloaded', 'database_unreachable'] as const;

/** Routes for reservations: seats that only one Control Room, or one group of Control Rooms, may take. */
export function reservationRoutes(routes: FastifyInstance, options: ReservationRouteOptions): void {
  changeRoute(routes, options);

  routes.get<{ Querystring: Static<typeof ReservationsQuery> }>(
    '/v1/reservations',
    {
      schema: {
        tags: TAGS,
        summary: 'Read reservations',
        security: SECURITY,
        querystring: ReservationsQuery,
        response: { 200: Reservations, ...problemResponses(...COMMON, 'database_unreachable') },
      },
      onRequest: options.authenticate('read', 'admin'),
    },
    async ({ query, caller }) => {
      const licenseId = caller.licenseId ?? query.licenseId;
      if (query.licenseId !== undefined && query.licenseId !== licenseId) return { reservations: [] };
      return { reservations: await options.database.reservations.read(licenseId) };
    },
  );
}

function changeRoute(routes: FastifyInstance, options: ReservationRouteOptions): void {
  mutatingRoute<{ Body: Static<typeof ReservationBody> }>(routes, {
    method: 'PUT',
    url: '/v1/reservations',
    acknowledges: ['replicated'],
    schema: {
      tags: TAGS,
      summary: 'Reserve seats for a Control Room or a group',
      description:
        'The holder of a reservation can take its seats at any moment. Therefore no more seats can be reserved than ' +
        'were sold. Seats that others hold cannot be reserved either: the request is refused until they are released.',
      security: SECURITY,
      body: ReservationBody,
      response: {
        200: Reserved,
        ...problemResponses(
          ...COMMON,
          'entitlement_not_found',
          'more_reserved_than_sold',
          'reserved_seats_in_use',
          'reservation_of_license',
          ...UNAVAILABLE,
        ),
      },
    },
    onRequest: options.authenticate('admin'),
    answer: async (request) => {
      const { licenseId, feature, controlRoom, group, seats, reason } = request.body;
      if ((controlRoom === undefined) === (group === undefined)) {
        const detail = 'or group must be set, but not both';
        return problemReply('invalid_request', {
          detail: `controlRoom ${detail}`,
          members: { field: 'controlRoom', errors: [{ field: 'controlRoom', detail }] },
        });
      }
      const order = { licenseId, feature, controlRoom: controlRoom?.toLowerCase(), group, seats };
      const outcome = await options.reservationService.set(order, { actor: request.caller.name, reason });
      switch (outcome.kind) {
        case 'acknowledged':
          return acknowledgedReply(outcome, { status: 200, body: { seatsReserved: outcome.value.seatsReserved } });
        case 'more_reserved_than_sold':
          return problemReply(outcome.kind, {
            detail: `${outcome.seatsReserved} of ${outcome.seats} seats would be reserved`,
            members: { seats: outcome.seats, seatsReserved: outcome.seatsReserved },
          });
        case 'reserved_seats_in_use':
          return problemReply(outcome.kind, {
            detail: `${outcome.seatsFree} seats are free; ${outcome.seatsMissing} more must be released first`,
            members: { seatsFree: outcome.seatsFree, seatsMissing: outcome.seatsMissing },
          });
        case 'reservation_of_license':
          return problemReply(outcome.kind, {
            detail: 'the license file makes this reservation; only a new issue of the license changes it',
          });
        case 'entitlement_not_found':
          return problemReply(outcome.kind);
        default:
          return refusalReply(outcome, options);
      }
    },
  });
}
