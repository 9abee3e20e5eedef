import { apiTokenStoreOn } from '../../api-tokens/sql/api-token-store';
import type { ApiTokenStore } from '../../api-tokens/store';
import { auditLogOn } from '../../audit/sql/audit-log';
import type { AuditLog } from '../../audit/store';
import { controlRoomStoreOn } from '../../control-rooms/sql/control-room-store';
import type { ControlRoomStore } from '../../control-rooms/store';
import { observeDatabase, readAcknowledged, writeBeacon } from '../../epochs/sql/observe-database';
import { openEpochInDatabase, readClock } from '../../epochs/sql/open-epoch';
import { grantUnprotected, protectGrants, readProtection } from '../../epochs/sql/replication-mode';
import type { EpochStore, ReplicationStore } from '../../epochs/store';
import { expireLeases } from '../../granting/sql/expire-leases';
import { findEntitlements } from '../../granting/sql/find-entitlements';
import { grantLeases } from '../../granting/sql/grant-leases';
import { endMarkedLeases, findMarkedLeases } from '../../granting/sql/lease-endings';
import { readLeases } from '../../granting/sql/read-leases';
import { readPools } from '../../granting/sql/read-pools';
import { releaseLeases } from '../../granting/sql/release-leases';
import { renewLeases } from '../../granting/sql/renew-leases';
import type { EndingStore, EntitlementStore, LeaseQueries, LeaseStore } from '../../granting/store';
import { licenseStoreOn } from '../../licenses/sql/license-store';
import type { LicenseStore } from '../../licenses/store';
import { offlineStoreOn } from '../../offline/sql/offline-store';
import type { OfflineStore } from '../../offline/store';
import { readQueue } from '../../queue/sql/read-queue';
import type { QueueStore } from '../../queue/store';
import { triadStoreOn } from '../../redundancy/sql/triad-store';
import type { TriadStore } from '../../redundancy/store';
import { reservationStoreOn } from '../../reservations/sql/reservation-store';
import type { ReservationStore } from '../../reservations/store';
import { reclaimLeases } from '../../sessions/sql/reclaim-leases';
import type { ReclaimStore } from '../../sessions/store';
import { type DatabaseAddress, openPool } from './connection';
import { schemaOfThisRelease } from './migrations';

/** The stores of every feature over one PostgreSQL database. */
export interface LicenseDatabase {
  readonly epochs: EpochStore;
  readonly replication: ReplicationStore;
  readonly leases: LeaseStore;
  readonly endings: EndingStore;
  readonly entitlements: EntitlementStore;
  readonly queries: LeaseQueries;
  readonly queue: QueueStore;
  readonly sessions: ReclaimStore;
  readonly apiTokens: ApiTokenStore;
  readonly licenses: LicenseStore;
  readonly controlRooms: ControlRoomStore;
  readonly reservations: ReservationStore;
  readonly offline: OfflineStore;
  readonly triads: TriadStore;
  readonly audit: AuditLog;
  close(): Promise<void>;
}

export interface LicenseDatabaseOptions {
  /** The server's name, which PostgreSQL shows for each connection. */
  readonly server: string;
  /** The `application_name` of the other region's follower, as a pattern for SQL's LIKE. */
  readonly followerName: string;
  readonly onIdleError?: (error: Error) => void;
}

/**
 * Connects to the license database. Observation has separate connections, so that a busy grant pool cannot make the
 * database look unreachable. Opening an epoch, surveying Control Rooms and triads, and reading the audit log may take
 * longer than a grant. Each of them has a separate pool with longer time limits.
 */
export function connectLicenseDatabase(address: DatabaseAddress, options: LicenseDatabaseOptions): LicenseDatabase {
  const { server, followerName, onIdleError } = options;
  const schemaNeeded = schemaOfThisRelease();
  const shared = onIdleError ? { onIdleError } : {};
  const granting = openPool(address, { ...shared, applicationName: server, connectionsMax: 8 });
  const watching = openPool(address, { ...shared, applicationName: `${server} watch`, connectionsMax: 3 });
  const opening = openPool(address, {
    ...shared,
    applicationName: `${server} opening`,
    connectionsMax: 1,
    timeLimits: { query_timeout: 20_000 },
  });
  const surveying = openPool(address, {
    ...shared,
    applicationName: `${server} survey`,
    connectionsMax: 1,
    timeLimits: { query_timeout: 20_000 },
  });
  const auditing = openPool(address, {
    ...shared,
    applicationName: `${server} audit`,
    connectionsMax: 2,
    timeLimits: { query_timeout: 20_000, statement_timeout: 20_000 },
  });
  return {
    epochs: {
      observe: (beaconLsn) => observeDatabase(watching, { followerName, beaconLsn, schemaNeeded }),
      writeBeacon: () => writeBeacon(watching),
      readClock: () => readClock(watching),
      open: (request) => openEpochInDatabase(opening, request),
    },
    replication: {
      readMode: () => readProtection(watching),
      grantUnprotected: (epoch, seenChanges) => grantUnprotected(watching, epoch, seenChanges),
      protectGrants: (epoch) => protectGrants(watching, epoch),
      readAcknowledged: () => readAcknowledged(watching, followerName),
    },
    leases: {
      grant: (batch) => grantLeases(granting, batch),
      renew: (requests, expected) => renewLeases(granting, requests, expected),
      release: (requests, expected) => releaseLeases(granting, requests, expected),
      expire: (expected) => expireLeases(granting, expected),
    },
    endings: {
      findMarked: (expected) => findMarkedLeases(granting, expected),
      end: (leaseIds, expected) => endMarkedLeases(granting, leaseIds, expected),
    },
    entitlements: { find: (name) => findEntitlements(granting, name) },
    queries: {
      readPools: () => readPools(granting),
      readLeases: (filter) => readLeases(granting, filter),
    },
    queue: { read: (filter) => readQueue(granting, filter) },
    sessions: { reclaim: (requests, expected) => reclaimLeases(granting, requests, expected) },
    apiTokens: apiTokenStoreOn({ granting, watching }),
    licenses: licenseStoreOn(granting),
    controlRooms: controlRoomStoreOn({ granting, surveying }),
    reservations: reservationStoreOn(granting),
    offline: offlineStoreOn(granting),
    triads: triadStoreOn({ watching, surveying }),
    audit: auditLogOn(auditing),
    close: async () => {
      await Promise.all([granting.end(), watching.end(), opening.end(), surveying.end(), auditing.end()]);
    },
  };
}
