import { type Static, Type } from '@sinclair/typebox';
import { documentRules } from './document-rules';
import { parseAs, type Read } from './parse';

export const INTEGER_MAX = 2_147_483_647;
const YEAR_SECONDS = 366 * 86_400;

const integer = (minimum: number, maximum = INTEGER_MAX) =>
  Type.Integer({ minimum, maximum, expected: `a whole number from ${minimum} to ${maximum}` });
const oneOf = <T extends string[]>(...values: [...T]) =>
  Type.Union(
    values.map((value) => Type.Literal(value)),
    { expected: values.join(' or ') },
  ) as unknown as ReturnType<typeof Type.Unsafe<T[number]>>;

const Text = Type.RegExp(/^(?!\s)[^\p{Cc}\p{Cs}]{1,200}(?<!\s)$/u, {
  expected: 'text of 1 to 200 characters, without control characters and without spaces at either end',
});
const Guid = Type.RegExp(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/, {
  expected: 'a GUID, such as 5f0f7f1e-6d0c-4d4d-9a55-0c6f6f2d9b10',
});
const Instant = Type.RegExp(/^(19[7-9]\d|[2-9]\d{3})-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/, {
  expected: 'an instant in UTC, such as 2027-12-31T23:59:59Z',
});
const ServerName = Type.RegExp(/^[a-z0-9-]{1,63}\/[a-z0-9-]{1,63}$/, { expected: 'a server as region/name' });

const Reservation = Type.Object(
  {
    controlRoom: Type.Optional(Guid),
    group: Type.Optional(Text),
    seats: integer(1),
  },
  { additionalProperties: false, expected: 'an object with controlRoom or group, and seats' },
);

const Entitlement = Type.Object(
  {
    feature: Text,
    seats: integer(0),
    /** Seats that may be granted beyond those sold. */
    overdraft: integer(0),
    /** Maximum number of granted seats that the follower may not have yet (S2 in docs/architecture.md). */
    escrow: integer(0),
    leaseTtlSeconds: integer(1, YEAR_SECONDS),
    /** 0 disables borrowing for offline use. */
    borrowSecondsMax: integer(0, YEAR_SECONDS),
    /** What happens to a session's leases when its connection breaks. */
    onDisconnect: oneOf('keep', 'release'),
    reservations: Type.Array(Reservation, { maxItems: 1_000, expected: 'a list of at most 1000 reservations' }),
  },
  { additionalProperties: false, expected: 'an object with feature, seats, …' },
);

/**
 * The document that a vendor signs. It is complete: no reader applies a default, so that two releases never interpret one
 * file differently.
 */
export const LicenseDocument = Type.Object(
  {
    version: Type.Literal(1, { expected: '1, the only version' }),
    licenseId: Text,
    /** The number of this file of the license. A server never imports a lower number than the one in force. */
    issue: integer(1),
    customer: Text,
    product: Text,
    kind: oneOf('cloud', 'guid', 'redundant'),
    /** Control Rooms register with the license key itself, which is never stored in files or databases. */
    licenseKeySha256: Type.Optional(Type.RegExp(/^[0-9a-f]{64}$/, { expected: 'a SHA-256 in hex' })),
    /** The one Control Room of a license of kind guid. */
    controlRoom: Type.Optional(Guid),
    /** The three servers of a license of kind redundant. */
    servers: Type.Optional(
      Type.Array(ServerName, {
        minItems: 3,
        maxItems: 3,
        uniqueItems: true,
        expected: 'a list of three different servers',
      }),
    ),
    validFrom: Instant,
    validUntil: Instant,
    policy: Type.Object(
      {
        /** Seconds for which a Control Room without a server works without limits. */
        graceSeconds: integer(0, 10 * YEAR_SECONDS),
        /** Seconds after which it is suspended. */
        suspendAfterSeconds: integer(0, 10 * YEAR_SECONDS),
      },
      { additionalProperties: false, expected: 'an object with graceSeconds and suspendAfterSeconds' },
    ),
    entitlements: Type.Array(Entitlement, {
      minItems: 1,
      maxItems: 1_000,
      expected: 'a list of 1 to 1000 entitlements',
    }),
  },
  { additionalProperties: false, expected: 'a JSON object' },
);

export type LicenseDocument = Static<typeof LicenseDocument>;
export type LicenseKind = LicenseDocument['kind'];
export type LicenseEntitlement = LicenseDocument['entitlements'][number];

/** Milliseconds since 1970 of an instant in a document. */
export function instantMs(instant: string): number {
  return Date.parse(instant);
}

/** Parses a document, or returns every validation error. */
export function readDocument(value: unknown): Read<LicenseDocument> {
  const read = parseAs(LicenseDocument, value);
  if (read.kind === 'invalid') return read;
  const errors = documentRules(read.value);
  return errors.length > 0 ? { kind: 'invalid', errors } : read;
}
