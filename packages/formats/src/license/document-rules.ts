import type { LicenseDocument, LicenseEntitlement } from './document';
import type { ValidationError } from './refusal-codes';

const SEATS_MAX = 2_147_483_647;

/** Checks the rules between the fields of a document that matches the schema. */
export function documentRules(document: LicenseDocument): ValidationError[] {
  return [
    ...validityRules(document),
    ...kindRules(document),
    ...repeated(document.entitlements.map(({ feature }) => feature)).map((feature) => ({
      path: 'entitlements',
      message: `must not name the feature ${feature} more than once`,
    })),
    ...document.entitlements.flatMap((entitlement, index) => entitlementRules(entitlement, `entitlements.${index}`)),
  ];
}

function validityRules({ validFrom, validUntil, policy }: LicenseDocument): ValidationError[] {
  const errors: ValidationError[] = (['validFrom', 'validUntil'] as const)
    .filter((path) => !isOnTheCalendar({ validFrom, validUntil }[path]))
    .map((path) => ({ path, message: 'is not a date of the calendar' }));
  if (errors.length === 0 && Date.parse(validUntil) <= Date.parse(validFrom)) {
    errors.push({ path: 'validUntil', message: 'must be after validFrom' });
  }
  if (policy.suspendAfterSeconds < policy.graceSeconds) {
    errors.push({ path: 'policy.suspendAfterSeconds', message: 'must not be less than policy.graceSeconds' });
  }
  return errors;
}

/** `Date.parse` silently turns 30 February into 2 March. */
function isOnTheCalendar(instant: string): boolean {
  const time = Date.parse(instant);
  return !Number.isNaN(time) && new Date(time).toISOString().slice(0, 19) === instant.slice(0, 19);
}

function kindRules({ kind, controlRoom, servers, entitlements }: LicenseDocument): ValidationError[] {
  const errors: ValidationError[] = [];
  if ((kind === 'guid') !== (controlRoom !== undefined)) {
    const message = kind === 'guid' ? 'is required for a license of kind guid' : onlyFor('guid');
    errors.push({ path: 'controlRoom', message });
  }
  if ((kind === 'redundant') !== (servers !== undefined)) {
    const message = kind === 'redundant' ? 'is required for a license of kind redundant' : onlyFor('redundant');
    errors.push({ path: 'servers', message });
  }
  if (kind === 'guid' && entitlements.some(({ reservations }) => reservations.length > 0)) {
    errors.push({
      path: 'entitlements',
      message: 'must not reserve seats: a license of kind guid belongs to one Control Room',
    });
  }
  return errors;
}

const onlyFor = (kind: string): string => `is only allowed for a license of kind ${kind}`;

function entitlementRules({ seats, overdraft, reservations }: LicenseEntitlement, path: string): ValidationError[] {
  const errors: ValidationError[] = [];
  if (seats + overdraft > SEATS_MAX) {
    errors.push({ path: `${path}.overdraft`, message: `and seats together must not exceed ${SEATS_MAX}` });
  }
  reservations.forEach(({ controlRoom, group }, index) => {
    if ((controlRoom === undefined) === (group === undefined)) {
      errors.push({ path: `${path}.reservations.${index}`, message: 'must name either controlRoom or group' });
    }
  });
  for (const holder of repeated(reservations.map((each) => JSON.stringify([each.controlRoom, each.group])))) {
    errors.push({
      path: `${path}.reservations`,
      message: `must not name ${JSON.parse(holder).find(Boolean)} more than once`,
    });
  }
  const reserved = reservations.reduce((sum, each) => sum + each.seats, 0);
  if (reserved > seats) {
    errors.push({ path: `${path}.reservations`, message: `must not reserve ${reserved} of ${seats} seats` });
  }
  return errors;
}

function repeated(values: readonly string[]): string[] {
  return [...new Set(values.filter((value, index) => values.indexOf(value) !== index))];
}
