import { Type } from '@sinclair/typebox';
import { controlRoom, group, licenseId, nullable, reason } from '../platform/http/fields';
import { feature, product } from '../platform/http/schemas';

export const ReservationBody = Type.Object({
  licenseId,
  feature,
  controlRoom: Type.Optional(controlRoom),
  group: Type.Optional(group),
  seats: Type.Integer({ minimum: 0, maximum: 2_147_483_647, description: '0 removes the reservation' }),
  reason: Type.Optional(reason),
});

export const Reserved = Type.Object(
  { seatsReserved: Type.Integer({ description: 'The sum of all reservations of this entitlement' }) },
  { description: 'The reservation is set' },
);

export const Reservations = Type.Object(
  {
    reservations: Type.Array(
      Type.Object({
        licenseId,
        product,
        feature,
        controlRoom: nullable(controlRoom),
        group: nullable(group),
        seats: Type.Integer(),
        source: Type.Union([Type.Literal('license_file'), Type.Literal('administrator')]),
      }),
    ),
  },
  { description: 'All reservations' },
);

export const ReservationsQuery = Type.Object({ licenseId: Type.Optional(licenseId) });
