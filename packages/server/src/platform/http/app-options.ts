import type { StatementSigner } from '@evergrant/formats/audit/checkpoint';
import type { Logger } from 'pino';
import type { ApiTokens } from '../../api-tokens/api-tokens';
import type { CheckpointStore } from '../../audit/ports';
import type { Security } from '../../config/security';
import type { ControlRoomPulse } from '../../control-rooms/heartbeat-recorder';
import type { OfflineDesk } from '../../control-rooms/offline-service';
import type { RegistryDesk } from '../../control-rooms/registration-service';
import type { RoleDuty } from '../../epochs/role-monitor';
import type { LeaseDesk } from '../../granting/lease-service';
import type { LeaseTokens } from '../../granting/lease-tokens';
import type { LicenseDesk } from '../../licenses/import-service';
import type { TriadDuty } from '../../redundancy/election';
import type { SessionPolicy } from '../../sessions/policy';
import type { Reclaim } from '../../sessions/seat-reclaimer';
import type { MonotonicClock } from '../clock';
import type { Metrics } from '../metrics';
import type { LicenseDatabase } from '../postgres/license-database';

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
