import { Type } from '@sinclair/typebox';
import {
  feature,
  holder,
  instant,
  licenseId,
  PageLimit,
  PLAIN_TEXT,
  product,
  SEATS_MAX,
  UUID,
  uuid,
} from '../platform/http/schemas';

const token = Type.String({
  maxLength: 4_096,
  description: 'The lease token of an earlier grant, which proves it after the loss of a region',
});

const nonce = Type.String({
  pattern: '^[A-Za-z0-9_-]{16,64}$',
  description:
    'Chosen by the client for this request. The token of the answer has it as the claim `nonce`, so an old answer is no answer',
});

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
        'A name of the installation that survives restarts. An installation that holds a matching live lease receives that lease, under its own leaseId',
    }),
  ),
  borrowSeconds: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: SEATS_MAX,
      description:
        'Borrows the seats for offline use for this many seconds. Heartbeats are not needed and do not extend the lease',
    }),
  ),
  queue: Type.Optional(
    Type.Boolean({
      description:
        'Waits in the queue when no seat is free. The answer is then 202 with a place. The same request keeps the place, and takes the seats when they are free',
    }),
  ),
  token: Type.Optional(token),
  nonce: Type.Optional(nonce),
});

export const TokenBody = Type.Object({ token: Type.Optional(token), nonce: Type.Optional(nonce) });

export const ReleaseBody = Type.Object({
  token: Type.Optional(token),
  reason: Type.Optional(
    Type.String({
      ...PLAIN_TEXT,
      maxLength: 500,
      description: 'Why an administrator takes the seats back from their holder. Recorded with the lease',
    }),
  ),
});

export const HeldLease = Type.Object(
  {
    leaseId: uuid,
    licenseId,
    overdraft: Type.Optional(Type.Literal(true, { description: 'More seats are held than were sold' })),
    borrowed: Type.Optional(Type.Literal(true, { description: 'For offline use, without heartbeats' })),
    token: Type.String({ description: 'The lease token: a JWS, EdDSA, see /.well-known/jwks.json' }),
    expiresAt: instant,
    serverTime: Type.String({
      format: 'date-time',
      description: 'Time of the decision by the same clock. The difference to expiresAt is the remaining time',
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
          'What applies while no server answers. Normal work continues for graceSeconds after the last answer. Held leases then stay usable until suspendAfterSeconds',
      },
    ),
  },
  { description: 'The lease is held' },
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
        seatsTaken: Type.Integer({ description: 'At most seats plus overdraft' }),
        seatsHeldBack: Type.Integer({ description: 'Not sold, because grants of a lost region may still claim them' }),
        seatsFree: Type.Integer({ description: 'Includes seats of the overdraft' }),
        seatsReserved: Type.Integer({ description: 'For Control Rooms or groups, used or not' }),
        seatsCountedTwice: Type.Integer({
          description:
            'Seats of live leases whose release was lost with a region, as shown by adopted leases. Not in seatsTaken',
        }),
        heldBackUntil: Type.Union([instant, Type.Null()]),
        leases: Type.Integer({ description: 'Live leases' }),
        queueLength: Type.Integer({ description: 'Live places in the queue' }),
        grantSeq: Type.Integer({ description: 'Seats granted since the pool was created' }),
        escrow: Type.Integer(),
        leaseTtlSeconds: Type.Integer(),
      }),
    ),
  },
  { description: 'All pools, read at one moment' },
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
  { description: 'A lease as recorded in the database' },
);

export const LeasesQuery = Type.Object({
  licenseId: Type.Optional(licenseId),
  controlRoom: Type.Optional(uuid),
  product: Type.Optional(product),
  feature: Type.Optional(feature),
  holder: Type.Optional(holder),
  state: Type.Optional(leaseState),
  cursor: Type.Optional(Type.String({ ...UUID, description: '`nextCursor` of the previous page' })),
  limit: Type.Optional(PageLimit),
});

export const Leases = Type.Object(
  { leases: Type.Array(Lease), nextCursor: Type.Union([uuid, Type.Null()]) },
  { description: 'A page of leases in the order of their ids' },
);
