import type { Logger } from 'pino';
import type { StatementSigner } from '../../audit/checkpoint';
import type { CheckpointStore } from '../audit-ports';
import type { ApiTokens } from '../duties/api-tokens';
import type { ControlRoomPulse } from '../duties/control-room-pulse';
import type { LeaseDesk } from '../duties/lease-desk';
import type { LicenseDesk } from '../duties/license-desk';
import type { Metrics } from '../duties/metrics';
import type { OfflineDesk } from '../duties/offline-desk';
import type { Reclaim } from '../duties/reclaim';
import type { RegistryDesk } from '../duties/registry-desk';
import type { RoleDuty } from '../duties/role';
import type { TriadDuty } from '../duties/triads';
import type { Security } from '../environment-security';
import type { LeaseTokens, LicenseDatabase, MonotonicClock } from '../ports';
import type { SessionPolicy } from '../sessions/policy';

/** What the HTTP side stands on. */
export interface AppOptions {
  readonly region: string;
  readonly server: string;
  readonly regionAddresses: Readonly<Record<string, string>>;
  readonly role: RoleDuty;
  readonly triads: TriadDuty;
  readonly desk: LeaseDesk;
  readonly licenseDesk: LicenseDesk;
  readonly apiTokens: ApiTokens;
  readonly pulse: ControlRoomPulse;
  readonly registry: RegistryDesk;
  readonly offline: OfflineDesk;
  readonly leaseTokens: LeaseTokens;
  readonly database: LicenseDatabase;
  readonly checkpointStore: CheckpointStore;
  /** Signs where the audit log stands. */
  readonly signer: StatementSigner;
  readonly metrics: Metrics;
  readonly reclaim: Reclaim;
  readonly security: Security;
  readonly log: Logger;
  readonly clock: MonotonicClock;
  readonly random: () => number;
  readonly sessionPolicy: SessionPolicy;
}
