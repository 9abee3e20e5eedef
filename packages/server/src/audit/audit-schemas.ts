import { AuditEvent } from '@evergrant/formats/audit/event';
import { Type } from '@sinclair/typebox';
import { feature, instant, PLAIN_TEXT, product, UUID } from '../platform/http/schemas';

const EVENTS_MAX = 5_000;
const licenseId = Type.String({ ...PLAIN_TEXT, description: 'The license' });
const chain = Type.String({ pattern: '^(system|pool/[1-9][0-9]{0,17})$', description: '`system`, or `pool/<id>`' });
const cursor = Type.String({
  pattern: '^(system|pool/[1-9][0-9]{0,17}):[1-9][0-9]{0,14}$',
  description: '`nextCursor` of the page before',
});
const limit = Type.String({ pattern: '^([1-9][0-9]{0,2}|[1-4][0-9]{3}|5000)$', description: `1 to ${EVENTS_MAX}` });
/** What PostgreSQL and JavaScript both understand, and people mean: no leap second, no offset of a day. */
const MOMENT =
  '^(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])$';
const moment = (description: string) =>
  Type.String({ format: 'date-time', pattern: MOMENT, description: `${description}, ISO 8601` });
const day = (description: string) =>
  Type.String({ format: 'date', pattern: '^(19|20|21)', description: `${description}, UTC, as 2026-11-22` });
const orNull = <T extends ReturnType<typeof Type.String>>(schema: T) => Type.Union([schema, Type.Null()]);

export const EventsQuery = Type.Object({
  format: Type.Optional(
    Type.Union([Type.Literal('json'), Type.Literal('jsonl'), Type.Literal('csv')], {
      description: 'json: a page. jsonl, csv: all there is, as a stream',
    }),
  ),
  chain: Type.Optional(chain),
  kind: Type.Optional(Type.String({ pattern: '^[a-z_]{1,60}$' })),
  since: Type.Optional(moment('Only what happened then or later')),
  until: Type.Optional(moment('Only what happened before')),
  cursor: Type.Optional(cursor),
  limit: Type.Optional(limit),
});

export const Events = Type.Object(
  { events: Type.Array(AuditEvent), nextCursor: orNull(cursor) },
  { description: 'By chain in the order of their names, in each by seq' },
);

export const Heads = Type.Object(
  {
    at: instant,
    epoch: Type.Integer(),
    era: Type.Integer(),
    writable: Type.Boolean({ description: 'False where the database follows another: its log may lag behind' }),
    heads: Type.Array(
      Type.Object({
        chain,
        seq: Type.Integer(),
        hash: Type.String(),
        licenseId: orNull(licenseId),
        product: orNull(product),
        feature: orNull(feature),
        seatsTaken: Type.Union([Type.Integer(), Type.Null()], { description: 'As the rows of the pool count them' }),
        seatsTakenByLog: Type.Union([Type.Integer(), Type.Null()], { description: 'As the events count them' }),
        jws: Type.String({ description: 'Signed by this server: evergrant-head+jwt' }),
      }),
    ),
  },
  { description: 'The newest event of each chain' },
);

export const CheckpointsQuery = Type.Object({
  until: Type.Optional(moment('`asOf` of the first page: later checkpoints are left out')),
  cursor: Type.Optional(cursor),
  limit: Type.Optional(limit),
});

export const Checkpoints = Type.Object(
  {
    checkpoints: Type.Array(
      Type.Object({
        chain,
        number: Type.Integer({ description: 'Counts the checkpoints of a chain' }),
        jws: Type.String({ description: 'Signed by a license server: evergrant-checkpoint+jwt' }),
      }),
    ),
    asOf: instant,
    nextCursor: orNull(cursor),
  },
  { description: 'By chain in the order of their names, in each by number' },
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
        seats: Type.Integer({ description: 'As many as the pool has now' }),
        seatsPeak: Type.Integer({ description: 'The most that were taken at one time' }),
        seatsAverage: Type.Number({ description: 'Over the whole day; today, until now' }),
      }),
    ),
  },
  { description: 'How full each pool was, day by day' },
);

export const Denials = Type.Object(
  {
    since: Type.String(),
    until: Type.String(),
    denials: Type.Array(
      Type.Object({
        day: Type.String(),
        ...pool,
        code: Type.String({ description: 'Of the answer' }),
        denials: Type.Integer(),
        seatsAsked: Type.Number(),
      }),
    ),
  },
  { description: 'How often seats were denied, day by day' },
);

export const HoldersQuery = Type.Object({
  at: Type.Optional(moment('The moment; now by default')),
  cursor: Type.Optional(Type.String({ ...UUID, description: '`nextCursor` of the page before' })),
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
        controlRoom: orNull(Type.String()),
        identity: orNull(Type.String()),
        from: instant,
        until: orNull(instant),
        ended: orNull(Type.String({ description: 'The kind of the event that ended it; null: it is held still' })),
      }),
    ),
    nextCursor: orNull(Type.String()),
  },
  { description: 'Who held seats at a moment, in the order of the lease ids' },
);
