import { Type } from '@sinclair/typebox';
import { feature, holder, instant, licenseId, PAGE_SIZE_DEFAULT, product, uuid } from '../platform/http/schemas';

export const HeldPlace = Type.Object(
  {
    leaseId: uuid,
    licenseId,
    position: Type.Integer({ minimum: 1, description: '1 comes next' }),
    token: Type.String({
      description: 'Send it with the next request: it proves the place, should it be lost with a region',
    }),
    expiresAt: Type.String({ format: 'date-time', description: 'The place lapses then unless it is asked for again' }),
    serverTime: instant,
    retryAfter: Type.Number({ description: 'Send the same request again after this many seconds' }),
  },
  { description: 'No seat is free yet: a place in line' },
);

export const QueueQuery = Type.Object({
  licenseId: Type.Optional(licenseId),
  product: Type.Optional(product),
  feature: Type.Optional(feature),
  limit: Type.Optional(
    Type.String({ pattern: '^([1-9][0-9]{0,2}|1000)$', description: `1 to 1000; ${PAGE_SIZE_DEFAULT} by default` }),
  ),
});

export const Queue = Type.Object(
  {
    places: Type.Array(
      Type.Object({
        leaseId: uuid,
        licenseId,
        product,
        feature,
        position: Type.Integer({ description: '1 comes next' }),
        seats: Type.Integer(),
        holder,
        controlRoom: Type.Union([uuid, Type.Null()]),
        identity: Type.Union([Type.String(), Type.Null()]),
        requestedBy: Type.Union([Type.String(), Type.Null()], { description: 'The name of the API token' }),
        enqueuedAt: instant,
        expiresAt: instant,
      }),
    ),
  },
  { description: 'The lines for seats, pool by pool, each in its order' },
);
