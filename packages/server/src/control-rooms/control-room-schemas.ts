import { Type } from '@sinclair/typebox';
import { controlRoom, group, licenseId, nullable, reason, tokenSha256 } from '../platform/http/fields';
import { feature, instant, PageLimit, PLAIN_TEXT, product, UUID } from '../platform/http/schemas';

const licenseKey = Type.String({ ...PLAIN_TEXT, description: 'The license key, a secret of the customer' });
const name = Type.String({ ...PLAIN_TEXT, description: 'Display name' });
const state = Type.Union([Type.Literal('active'), Type.Literal('fail_safe'), Type.Literal('suspended')]);
const heartbeatAfter = Type.Number({
  description: 'Send a heartbeat after this many seconds without any other request',
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
  { description: 'The Control Room is registered, and the token with this hash belongs to it' },
);

export const HeartbeatRecorded = Type.Object(
  { controlRoom, state, heartbeatAfter },
  { description: 'The heartbeat is recorded' },
);

export const RotationBody = Type.Object({
  licenseKey,
  tokenSha256,
  retireOthersAfterSeconds: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 31_536_000,
      description:
        'The other tokens of the Control Room expire after this many seconds. By default they stay unchanged',
    }),
  ),
});

export const Rotated = Type.Object(
  { tokenName: Type.String() },
  { description: 'The token with this hash belongs to the Control Room' },
);

export const RecoveryBody = Type.Object({
  reason,
  openForSeconds: Type.Optional(
    Type.Integer({
      minimum: 60,
      maximum: 604_800,
      description: 'How long one new registration is accepted; an hour by default',
    }),
  ),
});

export const RecoveryOpened = Type.Object(
  {
    controlRoom,
    recoverableUntil: instant,
    tokensRevoked: Type.Integer(),
  },
  { description: 'The tokens are revoked, and one new registration is accepted until `recoverableUntil`' },
);

export const GroupBody = Type.Object({ group: nullable(group), reason: Type.Optional(reason) });

export const ControlRoom = Type.Object(
  {
    controlRoom,
    licenseId,
    name,
    group: nullable(group),
    state,
    stateSince: instant,
    stateBecause: Type.String(),
    registeredAt: instant,
    lastHeartbeatAt: Type.String({ format: 'date-time', description: 'Accurate to one minute' }),
    recoverableUntil: nullable(instant),
    use: Type.Array(Type.Object({ product, feature, seatsTaken: Type.Integer() }), {
      description: 'The seats that the Control Room has taken, by entitlement',
    }),
  },
  { description: 'A Control Room and its use' },
);

export const ControlRooms = Type.Object(
  { controlRooms: Type.Array(ControlRoom), nextCursor: nullable(controlRoom) },
  { description: 'A page of Control Rooms, sorted by GUID' },
);

export const ControlRoomsQuery = Type.Object({
  licenseId: Type.Optional(licenseId),
  group: Type.Optional(group),
  state: Type.Optional(state),
  cursor: Type.Optional(Type.String({ ...UUID, description: '`nextCursor` of the previous page' })),
  limit: Type.Optional(PageLimit),
});
