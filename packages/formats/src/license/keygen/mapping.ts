import type { LicenseDocument } from '../document';
import { licenseKeySha256 } from '../license-key';
import type { Read } from '../parse';
import { withDefaults } from '../with-defaults';
import { attributesOf, includedOf, type KeygenAttributes, type KeygenDocument } from './resources';

export interface MappedLicense {
  readonly document: Read<LicenseDocument>;
  /** Descriptions of the parts that have no counterpart in Evergrant. */
  readonly dropped: readonly string[];
}

/** The feature name for a license without entitlements. */
const DEFAULT_FEATURE = 'license';
const SEATS_WHEN_UNLIMITED = 1_000_000;
const FOREVER = '9999-12-31T23:59:59Z';
const YEAR_SECONDS = 366 * 86_400;

const OVERDRAFT_BY_STRATEGY: Readonly<Record<string, number>> = {
  NO_OVERAGE: 0,
  ALLOW_1_25X_OVERAGE: 0.25,
  ALLOW_1_5X_OVERAGE: 0.5,
  ALLOW_2X_OVERAGE: 1,
  ALWAYS_ALLOW_OVERAGE: 1,
};

/** Keygen limits without a counterpart in Evergrant. They are listed when a license has them. */
const WITHOUT_COUNTERPART: Readonly<Record<string, string>> = {
  maxProcesses: 'a limit of processes a machine',
  maxUsers: 'a limit of users',
  maxCores: 'a limit of CPU cores',
  maxMemory: 'a limit of memory',
  maxDisk: 'a limit of disk space',
  maxUses: 'a limit of uses',
  requireCheckIn: 'a regular check-in',
  strict: 'strict validation',
};

/**
 * Maps a Keygen license to a license of kind cloud, as a migration path. Each entitlement becomes a feature with as many
 * seats as the license has machines. The license key stays the same. Parts without a counterpart are listed in `dropped`.
 */
export function mapKeygenLicense(source: KeygenDocument): MappedLicense {
  const { attributes, id } = source.data;
  const seats = seatsOf(source);
  const users = attributesOf(source, 'users');
  const customer = text(users.fullName) ?? text(users.email) ?? text(attributes.name) ?? id;
  const product = productOf(source);
  const validity = validityOf(source);
  const document = withDefaults({
    licenseId: id,
    // Keygen does not number the files of a license. The time of issue, in seconds, increases.
    issue: Math.floor(Date.parse(source.meta.issued) / 1000),
    customer,
    product,
    kind: 'cloud',
    ...(attributes.key === undefined ? {} : { licenseKeySha256: licenseKeySha256(attributes.key) }),
    ...validity,
    entitlements: featuresOf(source).map((feature) => ({ feature, seats, ...leaseRulesOf(source, seats) })),
  });
  return { document, dropped: [...seatsDropped(source), ...attributesDropped(source), ...resourcesDropped(source)] };
}

/** A license without a machine limit allows one machine, unless it is floating. */
function seatsOf(source: KeygenDocument): number {
  const { maxMachines, floating } = limitsOf(source);
  if (typeof maxMachines === 'number') return maxMachines;
  return floating === true ? SEATS_WHEN_UNLIMITED : 1;
}

/** The limits of the license override those of its policy. */
function limitsOf(source: KeygenDocument): KeygenAttributes {
  const own = Object.entries(source.data.attributes).filter(([, value]) => value !== null && value !== undefined);
  return { ...attributesOf(source, 'policies'), ...Object.fromEntries(own) };
}

function leaseRulesOf(source: KeygenDocument, seats: number): { overdraft: number; leaseTtlSeconds?: number } {
  const { overageStrategy, heartbeatDuration } = attributesOf(source, 'policies');
  const overdraft = Math.floor(seats * (OVERDRAFT_BY_STRATEGY[String(overageStrategy)] ?? 0));
  if (!Number.isInteger(heartbeatDuration) || Number(heartbeatDuration) < 1) return { overdraft };
  return { overdraft, leaseTtlSeconds: Math.min(Number(heartbeatDuration), YEAR_SECONDS) };
}

function featuresOf(source: KeygenDocument): string[] {
  const codes = includedOf(source, 'entitlements').flatMap(({ attributes }) => text(attributes?.code) ?? []);
  return codes.length > 0 ? [...new Set(codes)].sort() : [DEFAULT_FEATURE];
}

function productOf(source: KeygenDocument): string {
  const related = source.data.relationships?.product as { data?: { id?: unknown } } | undefined;
  return text(attributesOf(source, 'products').name) ?? text(related?.data?.id) ?? 'unknown product';
}

/** Both the Keygen file and the license may expire; the earlier time counts. */
function validityOf(source: KeygenDocument): { validFrom: string; validUntil: string } {
  const ends = [source.data.attributes.expiry, source.meta.expiry]
    .filter((end) => typeof end === 'string')
    .map(inUtc)
    .sort();
  return { validFrom: inUtc(source.meta.issued), validUntil: ends[0] ?? FOREVER };
}

/** Returns an invalid time unchanged, so that the validation of the document reports it. */
function inUtc(time: string): string {
  const parsed = Date.parse(time);
  return Number.isNaN(parsed) ? time : new Date(parsed).toISOString();
}

function seatsDropped(source: KeygenDocument): string[] {
  const { maxMachines, floating } = limitsOf(source);
  const { overageStrategy } = attributesOf(source, 'policies');
  const dropped: string[] = [];
  if (typeof maxMachines !== 'number' && floating === true) {
    dropped.push(`unlimited machines: mapped to ${SEATS_WHEN_UNLIMITED} seats`);
  }
  if (overageStrategy === 'ALWAYS_ALLOW_OVERAGE') {
    dropped.push('unlimited overage (ALWAYS_ALLOW_OVERAGE): mapped to an overdraft of as many seats again');
  } else if (typeof overageStrategy === 'string' && !(overageStrategy in OVERDRAFT_BY_STRATEGY)) {
    dropped.push(`the overage strategy ${overageStrategy}: mapped to no overdraft`);
  }
  if (includedOf(source, 'entitlements').length === 0) {
    dropped.push(`the license has no entitlements: its seats are mapped to the feature "${DEFAULT_FEATURE}"`);
  }
  return dropped;
}

function attributesDropped(source: KeygenDocument): string[] {
  const limits = limitsOf(source);
  const dropped = Object.entries(WITHOUT_COUNTERPART)
    .filter(([name]) => limits[name] !== null && limits[name] !== undefined && limits[name] !== false)
    .map(([name, what]) => `${what} (${name}: ${JSON.stringify(limits[name])})`);
  const keys = Object.keys(limits.metadata ?? {});
  return keys.length > 0 ? [...dropped, `metadata (${keys.join(', ')})`] : dropped;
}

const RESOURCES_WITH_COUNTERPART = ['products', 'policies', 'entitlements', 'users'];

function resourcesDropped({ included = [] }: KeygenDocument): string[] {
  const types = new Set(included.map(({ type }) => type).filter((type) => !RESOURCES_WITH_COUNTERPART.includes(type)));
  return [...types].sort().map((type) => `the included ${type}`);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value : undefined;
}
