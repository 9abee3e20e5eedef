import { AuditEvent } from '@evergrant/formats/audit/event';
import { Type } from '@sinclair/typebox';
import { licenseId, nullable } from '../platform/http/fields';
import { feature, instant, product, UUID } from '../platform/http/schemas';

const EVENTS_MAX = 5_000;
const chain = Type.String({ pattern: '^(system|pool/[1-9][0-9]{0,17})$', description: '`system`, or `pool/<id>`' });
const cursor = Type.String({
  pattern: '^(system|pool/[1-9][0-9]{0,17}):[1-9][0-9]{0,14}$',
  description: '`nextCursor` of the previous page',
});
const limit = Type.String({ pattern: '^([1-9][0-9]{0,2}|[1-4][0-9]{3}|5000)$', description: `1 to ${EVENTS_MAX}` });
/** Accepts only instants that PostgreSQL and JavaScript interpret the same: no leap second, no offset beyond 14 hours. */
const INSTANT_PATTERN =
  '^(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])$';
const instantParameter = (description: string) =>
  Type.String({ format: 'date-time', pattern: INSTANT_PATTERN, description: `${description}, ISO 8601` });
const day = (description: string) =>
  Type.String({ format: 'date', pattern: '^(19|20|21)', description: `${description}, UTC, as 2026-11-22` });

export const EventsQuery = Type.Object({
  format: Type.Optional(
    Type.Union([Type.Literal('json'), Type.Literal('jsonl'), Type.Literal('csv')], {
      description: '`json` returns a page; `jsonl` and `csv` stream all events',
    }),
  ),
  chain: Type.Optional(chain),
  kind: Type.Optional(Type.String({ pattern: '^[a-z_]{1,60}$' })),
  since: Type.Optional(instantParameter('Only events at or after this instant')),
  until: Type.Optional(instantParameter('Only events before this instant')),
  cursor: Type.Optional(cursor),
  limit: Type.Optional(limit),
});

export const Events = Type.Object(
  { events: Type.Array(AuditEvent), nextCursor: nullable(cursor) },
  { description: 'A page of events, sorted by chain name and seq' },
);

export const Heads = Type.Object(
  {
    at: instant,
    epoch: Type.Integer(),
    era: Type.Integer(),
    writable: Type.Boolean({ description: 'False on a follower, whose log may lag behind' }),
    heads: Type.Array(
      Type.Object({
        chain,
        seq: Type.Integer(),
        hash: Type.String(),
        licenseId: nullable(licenseId),
        product: nullable(product),
        feature: nullable(feature),
        seatsTaken: Type.Union([Type.Integer(), Type.Null()], { description: 'Counted from the rows of the pool' }),
        seatsTakenByLog: Type.Union([Type.Integer(), Type.Null()], { description: 'Counted from the events' }),
        jws: Type.String({ description: 'Signed by this server; type evergrant-head+jwt' }),
      }),
    ),
  },
  { description: 'The newest event of each chain' },
);

export const CheckpointsQuery = Type.Object({
  until: Type.Optional(instantParameter('`asOf` of the first page; later checkpoints are left out')),
  cursor: Type.Optional(cursor),
  limit: Type.Optional(limit),
});

export const Checkpoints = Type.Object(
  {
    checkpoints: Type.Array(
      Type.Object({
        chain,
        number: Type.Integer({ description: 'The number of the checkpoint in its chain' }),
        jws: Type.String({ description: 'Signed by a license server; type evergrant-checkpoint+jwt' }),
      }),
    ),
    asOf: instant,
    nextCursor: nullable(cursor),
  },
  { description: 'A page of checkpoints, sorted by chain name and number' },
);

export const DaysQuery = Type.Object({
  since: Type.Optional(day('The first day; 29 days before the last by default')),
  until: Type.Optional(day('The last day; today by default')),
});

const pool = { chain, licenseId, product, feature };

export const Usage = Type.Object(
  {
    since: Type.String(),
    until: Type.String(),
    usage: Type.Array(
      Type.Object({
        day: Type.String(),
        ...pool,
        seats: Type.Integer({ description: 'Current seats of the pool' }),
        seatsPeak: Type.Integer({ description: 'Maximum of seats taken at one time' }),
        seatsAverage: Type.Number({ description: 'Average over the whole day; for today, until now' }),
      }),
    ),
  },
  { description: 'Use of each pool, by day' },
);

export const Denials = Type.Object(
  {
    since: Type.String(),
    until: Type.String(),
    denials: Type.Array(
      Type.Object({
        day: Type.String(),
        ...pool,
        code: Type.String({ description: 'Problem code of the answer' }),
        denials: Type.Integer(),
        seatsAsked: Type.Number(),
      }),
    ),
  },
  { description: 'Denied checkouts, by day' },
);

export const HoldersQuery = Type.Object({
  at: Type.Optional(instantParameter('The instant; now by default')),
  cursor: Type.Optional(Type.String({ ...UUID, description: '`nextCursor` of the previous page' })),
  limit: Type.Optional(limit),
});

export const Holders = Type.Object(
  {
    at: instant,
    holders: Type.Array(
      Type.Object({
        leaseId: Type.String(),
        ...pool,
        holder: Type.String(),
        seats: Type.Integer(),
        controlRoom: nullable(Type.String()),
        identity: nullable(Type.String()),
        from: instant,
        until: nullable(instant),
        ended: nullable(
          Type.String({ description: 'The kind of the event that ended the lease; null while it is held' }),
        ),
      }),
    ),
    nextCursor: nullable(Type.String()),
  },
  { description: 'The leases held at an instant, sorted by lease id' },
);
