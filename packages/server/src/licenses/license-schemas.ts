import { Type } from '@sinclair/typebox';
import { licenseId, nullable } from '../platform/http/fields';
import { feature, instant, product, UUID } from '../platform/http/schemas';

const kind = Type.Union([Type.Literal('cloud'), Type.Literal('guid'), Type.Literal('redundant')]);

export const FILE_BODY_MAX_BYTES = 64 * 1024;

export const LicenseParams = Type.Object({ licenseId });

export const LicenseFileBody = Type.String({
  description: 'A license file: `-----BEGIN EVERGRANT LICENSE-----` …, or a Keygen license file',
});

export const LicenseFileHeaders = Type.Object({
  'evergrant-license-key': Type.Optional(
    Type.String({ maxLength: 1_000, description: 'Decrypts a file that is encrypted with its license key' }),
  ),
});

export const Imported = Type.Object(
  {
    outcome: Type.Union([Type.Literal('imported'), Type.Literal('unchanged')], {
      description: '`unchanged` means that this issue was in force already',
    }),
    licenseId,
    issue: Type.Integer(),
    customer: Type.String(),
    product,
    kind,
    validFrom: instant,
    validUntil: instant,
    dropped: Type.Array(Type.String(), {
      description: 'The parts of a Keygen file that have no counterpart in Evergrant',
    }),
    leasesCut: Type.Integer({ description: 'Leases that end earlier now, because their license does' }),
    borrowedBeyond: Type.Array(
      Type.Object({
        leaseId: Type.String(UUID),
        feature,
        holder: Type.String(),
        seats: Type.Integer(),
        expiresAt: instant,
      }),
      { description: 'Borrowed leases that outlast the license: a borrow keeps its end. At most 1000' },
    ),
  },
  { description: 'The license is in force' },
);

export const License = Type.Object(
  {
    licenseId,
    issue: Type.Integer({ description: 'Issue of the file in force; an import never lowers it' }),
    customer: Type.String(),
    product,
    kind,
    controlRoom: nullable(Type.String({ ...UUID, description: 'The one Control Room of a license of kind guid' })),
    servers: Type.Array(Type.String(), { description: 'The three servers of a license of kind redundant' }),
    validFrom: nullable(instant),
    validUntil: nullable(instant),
    validity: Type.Union([Type.Literal('not_yet_valid'), Type.Literal('valid'), Type.Literal('expired')]),
    policy: Type.Object({ graceSeconds: Type.Integer(), suspendAfterSeconds: Type.Integer() }),
    hasLicenseKey: Type.Boolean({ description: 'Whether Control Rooms can register' }),
    importedAt: nullable(instant),
    importedBy: nullable(Type.String()),
    entitlements: Type.Array(
      Type.Object({
        feature,
        seats: Type.Integer(),
        overdraft: Type.Integer(),
        escrow: Type.Integer(),
        leaseTtlSeconds: Type.Integer(),
        borrowSecondsMax: Type.Integer(),
        onDisconnect: Type.Union([Type.Literal('keep'), Type.Literal('release')]),
      }),
    ),
  },
  { description: 'A license, without its license key' },
);

export const Licenses = Type.Object({ licenses: Type.Array(License) }, { description: 'Licenses, sorted by id' });
