import fc from 'fast-check';
import { INTEGER_MAX, type LicenseDocument } from '../../../src/license/document';
import { licenseKeySha256 } from '../../../src/license/license-key';

const text = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
  .filter((candidate) => /^(?!\s)[^\p{Cc}\p{Cs}]{1,200}(?<!\s)$/u.test(candidate));
const guid = fc.uuid();
const server = fc
  .tuple(fc.stringMatching(/^[a-z0-9-]{1,20}$/), fc.stringMatching(/^[a-z0-9-]{1,20}$/))
  .map((parts) => parts.join('/'));
const instant = (min: string, max: string) =>
  fc.date({ min: new Date(min), max: new Date(max), noInvalidDate: true }).map((date) => date.toISOString());

const entitlement = fc
  .record({
    feature: text,
    seats: fc.integer({ min: 0, max: 1_000_000_000 }),
    overdraft: fc.integer({ min: 0, max: 1_000_000_000 }),
    escrow: fc.integer({ min: 0, max: INTEGER_MAX }),
    leaseTtlSeconds: fc.integer({ min: 1, max: 31_622_400 }),
    borrowSecondsMax: fc.integer({ min: 0, max: 31_622_400 }),
    onDisconnect: fc.constantFrom('keep' as const, 'release' as const),
    reservedFor: fc.uniqueArray(fc.oneof(fc.record({ controlRoom: guid }), fc.record({ group: text })), {
      maxLength: 3,
      selector: (whom) => JSON.stringify(whom),
    }),
  })
  .map(({ reservedFor, ...rest }) => ({
    ...rest,
    reservations: rest.seats >= reservedFor.length ? reservedFor.map((whom) => ({ ...whom, seats: 1 })) : [],
  }));

const kinds = fc.oneof(
  fc.record({ kind: fc.constant('cloud' as const) }),
  fc.record({ kind: fc.constant('guid' as const), controlRoom: guid }),
  fc.record({
    kind: fc.constant('redundant' as const),
    servers: fc.uniqueArray(server, { minLength: 3, maxLength: 3 }),
  }),
);

/** Any document that a vendor may sign; valid from 2026-01-01 at the latest and until 2027 at least. */
export const anyDocument: fc.Arbitrary<LicenseDocument> = fc
  .record({
    licenseId: text,
    issue: fc.integer({ min: 1, max: INTEGER_MAX }),
    customer: text,
    product: text,
    kinds,
    licenseKey: fc.option(guid, { nil: undefined }),
    validFrom: instant('1970-01-01T00:00:00Z', '2026-01-01T00:00:00Z'),
    validUntil: instant('2027-01-01T00:00:00Z', '9999-12-31T00:00:00Z'),
    graceSeconds: fc.integer({ min: 0, max: 1_000_000 }),
    moreSeconds: fc.integer({ min: 0, max: 1_000_000 }),
    entitlements: fc.uniqueArray(entitlement, { minLength: 1, maxLength: 4, selector: ({ feature }) => feature }),
  })
  .map(({ kinds: kind, licenseKey, graceSeconds, moreSeconds, entitlements, ...rest }) => ({
    version: 1,
    ...rest,
    ...kind,
    ...(licenseKey === undefined ? {} : { licenseKeySha256: licenseKeySha256(licenseKey) }),
    policy: { graceSeconds, suspendAfterSeconds: graceSeconds + moreSeconds },
    entitlements: entitlements.map((each) => (kind.kind === 'guid' ? { ...each, reservations: [] } : each)),
  }));
