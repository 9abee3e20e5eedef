import { Type } from '@sinclair/typebox';
import { controlRoom, nullable, reason, tokenSha256 } from '../platform/http/fields';
import { instant, PageLimit, PLAIN_TEXT } from '../platform/http/schemas';

const scopes = Type.Array(Type.Union([Type.Literal('lease'), Type.Literal('read'), Type.Literal('admin')]), {
  minItems: 1,
  uniqueItems: true,
});

/** The prefix `control-room ` is reserved for tokens that Control Rooms register themselves. */
const tokenName = Type.String({
  ...PLAIN_TEXT,
  maxLength: 100,
  pattern: '^(?!control-room )[^\\p{Cc}\\p{Cs}]*$',
  description:
    'The name under which the token is listed, revoked and audited. "control-room …" is reserved for the tokens of Control Rooms',
});

export const ApiTokenBody = Type.Object({
  name: tokenName,
  scopes,
  tokenSha256,
  expiresAt: Type.Optional(Type.String({ format: 'date-time', description: 'By default the token does not expire' })),
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
        controlRoom: nullable(controlRoom),
        createdAt: instant,
        createdBy: nullable(Type.String()),
        expiresAt: nullable(instant),
        revokedAt: nullable(instant),
        revokedBy: nullable(Type.String()),
        revokedBecause: nullable(Type.String()),
      }),
    ),
    nextCursor: nullable(Type.String()),
  },
  { description: 'A page of API tokens, sorted by name; it never contains the tokens themselves' },
);

export const ApiTokensQuery = Type.Object({
  controlRoom: Type.Optional(controlRoom),
  cursor: Type.Optional(Type.String({ ...PLAIN_TEXT, description: '`nextCursor` of the previous page' })),
  limit: Type.Optional(PageLimit),
});
