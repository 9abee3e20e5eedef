import { Type } from '@sinclair/typebox';
import { feature, instant, PageLimit, PLAIN_TEXT, product, UUID } from '../platform/http/schemas';

const controlRoom = Type.String({ ...UUID, format: 'uuid', description: 'The GUID of the Control Room' });
const licenseId = Type.String({ ...PLAIN_TEXT, description: 'The license' });
const licenseKey = Type.String({ ...PLAIN_TEXT, description: 'The license key: a secret of the customer' });
const name = Type.String({ ...PLAIN_TEXT, description: 'For people to read' });
const group = Type.String({ ...PLAIN_TEXT, description: 'Control Rooms that reservations may be made for together' });
const tokenSha256 = Type.String({
  pattern: '^[0-9a-fA-F]{64}$',
  description: 'SHA-256, in hex, of a token that the caller made: at least 128 bits drawn at random. It is never sent',
});
const reason = Type.String({ ...PLAIN_TEXT, description: 'Why; kept for the audit' });
const orNull = <T extends ReturnType<typeof Type.String>>(schema: T) => Type.Union([schema, Type.Null()]);
const state = Type.Union([Type.Literal('active'), Type.Literal('fail_safe'), Type.Literal('suspended')]);
const scopes = Type.Array(Type.Union([Type.Literal('lease'), Type.Literal('read'), Type.Literal('admin')]), {
  minItems: 1,
  uniqueItems: true,
});
const heartbeatAfter = Type.Number({
  description: 'With nothing else to ask, send a heartbeat after this many seconds',
});

export const ControlRoomParams = Type.Object({ controlRoom });

export const RegistrationBody = Type.Object({
  licenseKey,
  name,
  group: Type.Optional(group),
  tokenSha256,
});

export const Registered = Type.Object(
  {
    controlRoom,
    licenseId,
    tokenName: Type.String({ description: 'The name under which the token is listed' }),
    heartbeatAfter,
  },
  { description: 'The Control Room is registered, and the token of this hash is its own' },
);

export const Heard = Type.Object({ controlRoom, state, heartbeatAfter }, { description: 'The Control Room was heard' });

export const RotationBody = Type.Object({
  licenseKey,
  tokenSha256,
  retireOthersAfterSeconds: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 31_536_000,
      description: 'The other tokens of the Control Room expire by then; without it they stay as they are',
    }),
  ),
});

export const Rotated = Type.Object(
  { tokenName: Type.String() },
  { description: 'The token of this hash is one of the Control Room' },
);

export const RecoveryBody = Type.Object({
  reason,
  openForSeconds: Type.Optional(
    Type.Integer({
      minimum: 60,
      maximum: 604_800,
      description: 'How long one registration is open; an hour by default',
    }),
  ),
});

export const RecoveryOpened = Type.Object(
  {
    controlRoom,
    recoverableUntil: instant,
    tokensRevoked: Type.Integer(),
  },
  { description: 'Its tokens are revoked, and it may register once more until then' },
);

export const GroupBody = Type.Object({ group: orNull(group), reason: Type.Optional(reason) });

export const ControlRoom = Type.Object(
  {
    controlRoom,
    licenseId,
    name,
    group: orNull(group),
    state,
    stateSince: instant,
    stateBecause: Type.String(),
    registeredAt: instant,
    lastHeartbeatAt: Type.String({ format: 'date-time', description: 'To the minute' }),
    recoverableUntil: orNull(instant),
    use: Type.Array(Type.Object({ product, feature, seatsTaken: Type.Integer() }), {
      description: 'The seats that it has taken, by entitlement',
    }),
  },
  { description: 'A Control Room and what it uses' },
);

export const ControlRooms = Type.Object(
  { controlRooms: Type.Array(ControlRoom), nextCursor: orNull(controlRoom) },
  { description: 'A page of Control Rooms in the order of their GUIDs' },
);

export const ControlRoomsQuery = Type.Object({
  licenseId: Type.Optional(licenseId),
  group: Type.Optional(group),
  state: Type.Optional(state),
  cursor: Type.Optional(Type.String({ ...UUID, description: '`nextCursor` of the page before' })),
  limit: Type.Optional(PageLimit),
});

/** The names of Control Rooms' own tokens begin so. */
const tokenName = Type.String({
  ...PLAIN_TEXT,
  maxLength: 100,
  pattern: '^(?!control-room )[^\\p{Cc}\\p{Cs}]*$',
  description: 'What it is listed, revoked and audited by. "control-room …" is kept for the tokens of Control Rooms',
});

export const ApiTokenBody = Type.Object({
  name: tokenName,
  scopes,
  tokenSha256,
  expiresAt: Type.Optional(Type.String({ format: 'date-time', description: 'Without it, it does not expire' })),
  controlRoom: Type.Optional(controlRoom),
});

export const ApiTokenParams = Type.Object({ name: Type.String({ ...PLAIN_TEXT, maxLength: 100 }) });

export const RevocationBody = Type.Object({ reason: Type.Optional(reason) });

export const ApiTokens = Type.Object(
  {
    tokens: Type.Array(
      Type.Object({
        name: Type.String(),
        scopes: Type.Array(Type.String()),
        controlRoom: orNull(controlRoom),
        createdAt: instant,
        createdBy: orNull(Type.String()),
        expiresAt: orNull(instant),
        revokedAt: orNull(instant),
        revokedBy: orNull(Type.String()),
        revokedBecause: orNull(Type.String()),
      }),
    ),
    nextCursor: orNull(Type.String()),
  },
  { description: 'A page of API tokens in the order of their names; never the tokens themselves' },
);

export const ApiTokensQuery = Type.Object({
  controlRoom: Type.Optional(controlRoom),
  cursor: Type.Optional(Type.String({ ...PLAIN_TEXT, description: '`nextCursor` of the page before' })),
  limit: Type.Optional(PageLimit),
});

export const Empty = Type.Null({ description: 'Done, now or before' });

export const ReservationBody = Type.Object({
  licenseId,
  feature,
  controlRoom: Type.Optional(controlRoom),
  group: Type.Optional(group),
  seats: Type.Integer({ minimum: 0, maximum: 2_147_483_647, description: '0: no reservation' }),
  reason: Type.Optional(reason),
});

export const Reserved = Type.Object(
  { seatsReserved: Type.Integer({ description: 'Of this entitlement, by all reservations together' }) },
  { description: 'The reservation is as it is to be' },
);

export const Reservations = Type.Object(
  {
    reservations: Type.Array(
      Type.Object({
        licenseId,
        product,
        feature,
        controlRoom: orNull(controlRoom),
        group: orNull(group),
        seats: Type.Integer(),
        source: Type.Union([Type.Literal('license_file'), Type.Literal('administrator')]),
      }),
    ),
  },
  { description: 'All reservations' },
);

export const ReservationsQuery = Type.Object({ licenseId: Type.Optional(licenseId) });
