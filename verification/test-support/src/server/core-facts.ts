import type { Entitlement } from '@evergrant/server/granting/core/entitlement';

/** What the tests of the core begin with: ten seats of a license without end. */
export const ENTITLEMENT: Entitlement = {
  poolId: 1,
  licenseId: 'lic-1',
  issue: 1,
  kind: 'cloud',
  controlRoom: undefined,
  servers: [],
  product: 'p',
  feature: 'f',
  seats: 10,
  overdraft: 0,
  leaseTtlMs: 60_000,
  borrowSecondsMax: 0,
  onDisconnect: 'keep',
  validFromMs: Number.NEGATIVE_INFINITY,
  validUntilMs: Number.POSITIVE_INFINITY,
  policy: { graceSeconds: 172_800, suspendAfterSeconds: 2_592_000 },
};

/** An API token that belongs to no Control Room, and an installation without a name. */
export const ANYONE = {
  identity: undefined,
  controlRoom: undefined,
  controlRoomState: 'active',
  grantedBy: 'client',
} as const;
