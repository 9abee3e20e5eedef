import { Type } from '@sinclair/typebox';

/** Text that PostgreSQL can store and people can read: no control characters, no broken surrogates. */
export const PLAIN_TEXT = { minLength: 1, maxLength: 200, pattern: '^[^\\p{Cc}\\p{Cs}]*$' };
const SEATS_MAX = 2_147_483_647;
export const UUID = { pattern: '^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$' };
export const PAGE_SIZE_DEFAULT = 100;

export const product = Type.String({ ...PLAIN_TEXT, description: 'The product of the entitlement' });
export const feature = Type.String({ ...PLAIN_TEXT, description: 'The feature of the entitlement' });
const licenseId = Type.String({ ...PLAIN_TEXT, description: 'The license that provides the feature' });
const holder = Type.String({ ...PLAIN_TEXT, description: 'Who holds the seats, for people to read' });
const uuid = Type.String({ ...UUID, format: 'uuid' });
const token = Type.String({
  maxLength: 4_096,
  description: 'The lease token of an earlier grant: proof of it after the loss of a region',
});
export const instant = Type.String({ format: 'date-time', description: "By the database's clock" });
const leaseState = Type.Union([Type.Literal('live'), Type.Literal('released'), Type.Literal('expired')]);

export const LeaseParams = Type.Object({
  leaseId: Type.String({ ...UUID, format: 'uuid', description: 'Chosen by the client' }),
});

export const CheckoutBody = Type.Object({
  licenseId: Type.Optional(
    Type.String({
      ...PLAIN_TEXT,
      description: 'Needed when several licenses provide the feature and the token is bound to none',
    }),
  ),
  product,
  feature,
  seats: Type.Integer({ minimum: 1, maximum: SEATS_MAX }),
  holder,
  identity: Type.Optional(
    Type.String({
      ...PLAIN_TEXT,
      description:
        'A name of the installation that survives its restarts: while it holds a live lease of as many of these seats, that lease is the answer, under its own leaseId',
    }),
  ),
  borrowSeconds: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: SEATS_MAX,
      description: 'Takes the seats for offline use, for so long: no heartbeat is needed, and none makes it longer',
    }),
  ),
  queue: Type.Optional(
    Type.Boolean({
      description:
        'Wait in line when no seat is free: the answer is then 202 with a place, which the same request again keeps, and claims in its turn',
    }),
  ),
  token: Type.Optional(token),
});

export const TokenBody = Type.Object({ token: Type.Optional(token) });

export const ReleaseBody = Type.Object({
  token: Type.Optional(token),
  reason: Type.Optional(
    Type.String({
      ...PLAIN_TEXT,
      maxLength: 500,
      description: 'Why an administrator takes the seats back from whoever holds them; kept with the lease',
    }),
  ),
});

export const HeldLease = Type.Object(
  {
    leaseId: uuid,
    licenseId,
    overdraft: Type.Optional(Type.Literal(true, { description: 'More seats are held than were sold' })),
    borrowed: Type.Optional(Type.Literal(true, { description: 'For offline use: it needs no heartbeat' })),
    token: Type.String({ description: 'The lease token: a JWS, EdDSA, see /.well-known/jwks.json' }),
    expiresAt: instant,
    serverTime: Type.String({
      format: 'date-time',
      description: 'By the same clock, when this was decided: how long the lease lasts needs no other clock',
    }),
    heartbeatAfter: Type.Number({
      description: 'Send the next heartbeat after this many seconds: a third of the TTL, with jitter',
    }),
    epoch: Type.Integer(),
    servedBy: Type.String({ description: 'The server that answered, as region/name' }),
    policy: Type.Object(
      { graceSeconds: Type.Integer(), suspendAfterSeconds: Type.Integer() },
      {
        description:
          'When no server can be reached: work goes on for graceSeconds after one was last heard, then what is held goes on, and after suspendAfterSeconds nothing does',
      },
    ),
  },
  { description: 'The lease is held' },
);

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

const Triad = Type.Object({
  servers: Type.Array(
    Type.Object({
      server: Type.String({ description: 'As region/name; an earlier one is preferred' }),
      view: Type.Union([Type.Literal('present'), Type.Literal('absent'), Type.Literal('unknown')]),
    }),
  ),
  quorum: Type.Union([Type.Literal('won'), Type.Literal('lost'), Type.Literal('pending')], {
    description: 'Of two; without it nothing is granted or renewed',
  }),
  inControl: Type.Union([Type.String(), Type.Null()], { description: 'The server that grants from the license' }),
  term: Type.Integer({ description: 'Grows with each change of control' }),
});

export const Status = Type.Object(
  {
    region: Type.String(),
    server: Type.String(),
    granting: Type.Boolean(),
    epoch: Type.Union([Type.Integer(), Type.Null()], { description: 'The newest epoch this server knows of' }),
    activeRegion: Type.Union([Type.String(), Type.Null()], {
      description: 'The region that holds authority, as far as known',
    }),
    reason: Type.Optional(Type.String({ description: 'Why it does not grant' })),
    triads: Type.Optional(
      Type.Array(Triad, { description: 'The three servers of each redundant license, as this server last saw them' }),
    ),
  },
  { description: 'The role of this server, from memory' },
);

export const Pools = Type.Object(
  {
    pools: Type.Array(
      Type.Object({
        licenseId: Type.String(),
        customer: Type.String(),
        product,
        feature,
        seats: Type.Integer(),
        overdraft: Type.Integer({ description: 'Seats that may be taken beyond those sold' }),
        seatsTaken: Type.Integer({ description: 'Never more than seats and overdraft' }),
        seatsHeldBack: Type.Integer({ description: 'Not sold, because grants of a lost region may still claim them' }),
        seatsFree: Type.Integer({ description: 'Those of the overdraft included' }),
        seatsReserved: Type.Integer({ description: 'For Control Rooms or groups, used or not' }),
        seatsCountedTwice: Type.Integer({
          description:
            'Seats of live leases whose release was lost with a region, as adopted leases have shown; not in seatsTaken',
        }),
        heldBackUntil: Type.Union([instant, Type.Null()]),
        leases: Type.Integer({ description: 'Live leases' }),
        queueLength: Type.Integer({ description: 'Live places in line' }),
        grantSeq: Type.Integer({ description: 'Seats granted since the beginning' }),
        escrow: Type.Integer(),
        leaseTtlSeconds: Type.Integer(),
      }),
    ),
  },
  { description: 'All pools, as of one moment' },
);

export const Lease = Type.Object(
  {
    leaseId: uuid,
    licenseId,
    product,
    feature,
    holder,
    controlRoom: Type.Union([uuid, Type.Null()], {
      description: 'The Control Room that took it, if its token names one',
    }),
    identity: Type.Union([Type.String(), Type.Null()], { description: 'The stable name of the installation' }),
    seats: Type.Integer(),
    overdraft: Type.Boolean({ description: 'Taken when more seats were held than were sold' }),
    borrowed: Type.Boolean({ description: 'Taken for offline use' }),
    seq: Type.Integer(),
    epoch: Type.Integer({ description: 'Of the last grant or renewal' }),
    state: leaseState,
    grantedAt: instant,
    grantedBy: Type.Union([Type.String(), Type.Null()], { description: 'The name of the API token' }),
    expiresAt: instant,
    endedAt: Type.Union([instant, Type.Null()]),
    endedBy: Type.Union([Type.String(), Type.Null()], {
      description: 'The name of the API token, or the server that saw it expire',
    }),
    endedBecause: Type.Union([Type.String(), Type.Null()], {
      description: '`released`, `expired`, `disconnected`, or `forced: ` and the reason',
    }),
    adoptedFromEpoch: Type.Union([Type.Integer(), Type.Null()]),
  },
  { description: 'A lease as the database has it' },
);

export const PageLimit = Type.String({
  pattern: '^([1-9][0-9]{0,2}|1000)$',
  description: `1 to 1000; ${PAGE_SIZE_DEFAULT} by default`,
});

export const LeasesQuery = Type.Object({
  licenseId: Type.Optional(licenseId),
  controlRoom: Type.Optional(uuid),
  product: Type.Optional(product),
  feature: Type.Optional(feature),
  holder: Type.Optional(holder),
  state: Type.Optional(leaseState),
  cursor: Type.Optional(Type.String({ ...UUID, description: '`nextCursor` of the page before' })),
  limit: Type.Optional(PageLimit),
});

export const Leases = Type.Object(
  { leases: Type.Array(Lease), nextCursor: Type.Union([uuid, Type.Null()]) },
  { description: 'A page of leases in the order of their ids' },
);
