import type { StatementSigner } from '@evergrant/formats/audit/checkpoint';
import type { Logger } from 'pino';
import type { ApiTokenService } from '../../api-tokens/api-token-service';
import type { ApiTokenVerifier } from '../../api-tokens/api-token-verifier';
import type { CheckpointStore } from '../../audit/store';
import type { Security } from '../../config/security';
import type { HeartbeatRecorder } from '../../control-rooms/heartbeat-recorder';
import type { RegistrationService } from '../../control-rooms/registration-service';
import type { RoleMonitor } from '../../epochs/role-monitor';
import type { LeaseService } from '../../granting/lease-service';
import type { LeaseTokens } from '../../granting/lease-tokens';
import type { LicenseImportService } from '../../licenses/import-service';
import type { OfflineService } from '../../offline/offline-service';
import type { TriadElection } from '../../redundancy/election';
import type { ReservationService } from '../../reservations/reservation-service';
import type { SessionPolicy } from '../../sessions/policy';
import type { SeatReclaimer } from '../../sessions/seat-reclaimer';
import type { MonotonicClock } from '../clock';
import type { Metrics } from '../metrics';
import type { LicenseDatabase } from '../postgres/license-database';

/** The services and settings that the HTTP routes use. */
export interface AppOptions {
  readonly region: string;
  readonly server: string;
  readonly regionAddresses: Readonly<Record<string, string>>;
  readonly role: RoleMonitor;
  readonly triads: TriadElection;
  readonly leaseService: LeaseService;
  readonly licenseImports: LicenseImportService;
  readonly tokenVerifier: ApiTokenVerifier;
  readonly apiTokenService: ApiTokenService;
  readonly heartbeats: HeartbeatRecorder;
  readonly registrations: RegistrationService;
  readonly reservationService: ReservationService;
  readonly offlineService: OfflineService;
  readonly leaseTokens: LeaseTokens;
  readonly database: LicenseDatabase;
  readonly checkpointStore: CheckpointStore;
  /** Signs checkpoints of the audit log. */
  readonly signer: StatementSigner;
  readonly metrics: Metrics;
  readonly seatReclaimer: SeatReclaimer;
  readonly security: Security;
  readonly log: Logger;
  readonly clock: MonotonicClock;
  readonly random: () => number;
  readonly sessionPolicy: SessionPolicy;
}
