import type { LicenseDocument } from '../document';
import { licenseKeySha256 } from '../license-key';
import type { Read } from '../parse';
import { withDefaults } from '../with-defaults';
import { attributesOf, includedOf, type KeygenAttributes, type KeygenDocument } from './resources';

export interface Mapped {
  readonly document: Read<LicenseDocument>;
  /** What had no counterpart, each in a sentence. */
  readonly dropped: readonly string[];
}

/** The feature of a license that names no entitlements. */
const FEATURE_OF_A_BARE_LICENSE = 'license';
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

/** Limits and demands that Evergrant does not know; told when a license has them. */
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
 * A Keygen license as one of kind cloud: a migration path. Each entitlement becomes a feature with as many seats as
 * the license has machines; the license key stays the license key. What has no counterpart is listed.
 */
export function mapKeygenLicense(source: KeygenDocument): Mapped {
  const { attributes, id } = source.data;
  const seats = seatsOf(source);
  const users = attributesOf(source, 'users');
  const customer = text(users.fullName) ?? text(users.email) ?? text(attributes.name) ?? id;
  const product = productOf(source);
  const validity = validityOf(source);
  const document = withDefaults({
    licenseId: id,
    // Keygen does not count the files of a license; the moment of issue, in seconds, only grows.
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

/** A license without the limit is for one machine, unless it floats. */
function seatsOf(source: KeygenDocument): number {
  const { maxMachines, floating } = limitsOf(source);
  if (typeof maxMachines === 'number') return maxMachines;
  return floating === true ? SEATS_WHEN_UNLIMITED : 1;
}

/** A license's own limits go before those of its policy. */
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
  return codes.length > 0 ? [...new Set(codes)].sort() : [FEATURE_OF_A_BARE_LICENSE];
}

function productOf(source: KeygenDocument): string {
  const related = source.data.relationships?.product as { data?: { id?: unknown } } | undefined;
  return text(attributesOf(source, 'products').name) ?? text(related?.data?.id) ?? 'unknown product';
}

/** A Keygen file has an end of its own, besides the license's: the nearer one counts. */
function validityOf(source: KeygenDocument): { validFrom: string; validUntil: string } {
  const ends = [source.data.attributes.expiry, source.meta.expiry]
    .filter((end) => typeof end === 'string')
    .map(inUtc)
    .sort();
  return { validFrom: inUtc(source.meta.issued), validUntil: ends[0] ?? FOREVER };
}

/** As it is written when it is no moment: the document's own check names it then. */
function inUtc(moment: string): string {
  const time = Date.parse(moment);
  return Number.isNaN(time) ? moment : new Date(time).toISOString();
}

function seatsDropped(source: KeygenDocument): string[] {
  const { maxMachines, floating } = limitsOf(source);
  const { overageStrategy } = attributesOf(source, 'policies');
  const dropped: string[] = [];
  if (typeof maxMachines !== 'number' && floating === true) {
    dropped.push(`machines without limit: ${SEATS_WHEN_UNLIMITED} seats stand for it`);
  }
  if (overageStrategy === 'ALWAYS_ALLOW_OVERAGE') {
    dropped.push('overage without limit (ALWAYS_ALLOW_OVERAGE): as many seats again may be taken as overdraft');
  } else if (typeof overageStrategy === 'string' && !(overageStrategy in OVERDRAFT_BY_STRATEGY)) {
    dropped.push(`the overage strategy ${overageStrategy}: no overdraft`);
  }
  if (includedOf(source, 'entitlements').length === 0) {
    dropped.push(`the license names no entitlements: its seats are of the feature "${FEATURE_OF_A_BARE_LICENSE}"`);
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
  return [...types].sort().map((type) => `the ${type} that the file includes`);
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value : undefined;
}
