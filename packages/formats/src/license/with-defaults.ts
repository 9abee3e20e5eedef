import { escrowDefault, LEASE_TTL_SECONDS_DEFAULT } from './defaults';
import { type LicenseDocument, readDocument } from './document';
import { isGuid, licenseKeySha256 } from './license-key';
import type { Read } from './parse';

const POLICY_DEFAULT = { graceSeconds: 48 * 3_600, suspendAfterSeconds: 30 * 86_400 };
const ENTITLEMENT_DEFAULT = {
  overdraft: 0,
  leaseTtlSeconds: LEASE_TTL_SECONDS_DEFAULT,
  borrowSecondsMax: 0,
  onDisconnect: 'keep',
  reservations: [],
};

/**
 * Completes a vendor's draft to a document for signing, or returns every validation error. A draft may leave out fields
 * with defaults and may contain the license key itself, which is replaced with its hash.
 *
 * @param licenseKey overrides the license key in the draft
 */
export function withDefaults(draft: unknown, licenseKey?: string): Read<LicenseDocument> {
  if (!isRecord(draft)) return readDocument(draft);
  const { licenseKey: keyInDraft, ...rest } = draft;
  const key = licenseKey ?? keyInDraft;
  if (key !== undefined && !(typeof key === 'string' && isGuid(key))) {
    // The license key is a secret, so the error does not quote it.
    const errors = [
      { path: 'licenseKey', message: 'must be a GUID; make one with: npx evergrant license keygen license-key' },
    ];
    const others = withDefaults(rest);
    return { kind: 'invalid', errors: others.kind === 'invalid' ? [...errors, ...others.errors] : errors };
  }
  return readDocument({
    version: 1,
    issue: 1,
    ...withLowerCaseGuid(rest),
    ...(key === undefined ? {} : { licenseKeySha256: licenseKeySha256(key) }),
    policy: isRecord(rest.policy) || rest.policy === undefined ? { ...POLICY_DEFAULT, ...rest.policy } : rest.policy,
    entitlements: Array.isArray(rest.entitlements) ? rest.entitlements.map(completeEntitlement) : rest.entitlements,
  });
}

function completeEntitlement(entitlement: unknown): unknown {
  if (!isRecord(entitlement)) return entitlement;
  const { seats, reservations } = entitlement;
  return {
    ...ENTITLEMENT_DEFAULT,
    escrow: Number.isInteger(seats) ? Math.max(0, escrowDefault(Number(seats))) : 0,
    ...entitlement,
    ...(Array.isArray(reservations) ? { reservations: reservations.map(lowerCased) } : {}),
  };
}

function lowerCased(value: unknown): unknown {
  return isRecord(value) ? withLowerCaseGuid(value) : value;
}

/** GUIDs are compared as text, so they are stored in lower case. */
function withLowerCaseGuid(value: Record<string, unknown>): Record<string, unknown> {
  return typeof value.controlRoom === 'string' ? { ...value, controlRoom: value.controlRoom.toLowerCase() } : value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
