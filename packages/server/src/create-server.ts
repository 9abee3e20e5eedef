import type { Server as HttpsServer } from 'node:https';
import { performance } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { ApiTokenService } from './api-tokens/api-token-service';
import { ApiTokenVerifier } from './api-tokens/api-token-verifier';
import { createAuditing } from './audit/compose';
import type { CheckpointStore, ControllerHistory } from './audit/store';
import type { ServerEnvironment } from './config/environment';
import { createControlRooms } from './control-rooms/compose';
import { EpochWork } from './epochs/epoch-transactions';
import { ProtectionDuty } from './epochs/replication-mode-controller';
import { Acknowledgements } from './epochs/replication-tracker';
import { RoleDuty } from './epochs/role-monitor';
import type { AuthorityStore } from './epochs/store';
import { createGranting } from './granting/compose';
import { createLeaseTokens } from './granting/lease-tokens';
import { createLicenses } from './licenses/compose';
import type { IntegrityChecks } from './licenses/integrity-checks';
import { OfflineService } from './offline/offline-service';
import { createOfflineTokens } from './offline/offline-tokens';
import type { MonotonicClock } from './platform/clock';
import { createApp } from './platform/http/app';
import { CertificateWatch } from './platform/http/listener';
import { Metrics } from './platform/metrics';
import { MetricsLog } from './platform/metrics-log';
import type { LicenseDatabase } from './platform/postgres/license-database';
import type { TriadClaims } from './redundancy/core/triad';
import { TriadElection } from './redundancy/election';
import { ReservationService } from './reservations/reservation-service';
import { RECLAIM_POLICY } from './sessions/core/reclaim';
import { SESSION_POLICY, type SessionPolicy } from './sessions/policy';
import { Reclaim } from './sessions/seat-reclaimer';

export interface LicenseServer {
  readonly app: FastifyInstance;
  readonly role: RoleDuty;
  readonly tokenVerifier: ApiTokenVerifier;
  readonly triads: TriadElection;
  /** Begins to watch database and authority, and listens. Resolves to the address. */
  start(): Promise<string>;
  /** Says that it does not grant any more, finishes what is in flight and lets everything go; once. */
  stop(): Promise<void>;
}

export interface ServerAdapters {
  readonly database: LicenseDatabase;
  readonly authorityStore: AuthorityStore;
  readonly checkpointStore: CheckpointStore;
  readonly controllerHistory: ControllerHistory;
  readonly log: Logger;
  /** @default the process's own monotonic clock */
  readonly clock?: MonotonicClock;
  /** @default the signed files in the database */
  readonly integrityChecks?: IntegrityChecks;
  /** @default SESSION_POLICY; a test makes it smaller. */
  readonly sessionPolicy?: SessionPolicy;
}

const CLOSE_IDLE_EVERY_MS = 50;
/** A connection on which no request ever came is not idle to Node, and no longer timed once the closing has begun. */
const CLOSE_ALL_AFTER_MS = 6_000;
const CLOSE_DATABASES_MS = 1_000;

const PROCESS_CLOCK: MonotonicClock = { nowMs: () => performance.now() };

/** One license server, wired. Several can live in one process. */
export async function createServer(environment: ServerEnvironment, adapters: ServerAdapters): Promise<LicenseServer> {
  const { database, authorityStore, checkpointStore, controllerHistory, log } = adapters;
  const { app, role, tokenVerifier, triads, sweeper, protection, controlRooms, auditing, licenses, metrics } =
    await assemble(environment, adapters);

  const { tls } = environment.security;
  const { logMetricsEveryMs: everyMs } = environment;
  const metricsLog = everyMs === undefined ? undefined : new MetricsLog({ metrics, log, everyMs });
  const certificates = tls && new CertificateWatch({ server: app.server as HttpsServer, files: tls, log, metrics });

  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    role.drain();
    // A connection that was busy when the closing began stays open when it turns idle, unless it is looked for.
    const closeIdle = setInterval(() => app.server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS);
    const closeAll = setTimeout(() => app.server.closeAllConnections(), CLOSE_ALL_AFTER_MS);
    await app.close().finally(() => {
      clearInterval(closeIdle);
      clearTimeout(closeAll);
    });
    await controlRooms.stop();
    const { checkpointWriter, controllerHistoryImporter } = auditing;
    await Promise.all(
      [role, triads, sweeper, protection, licenses, checkpointWriter, controllerHistoryImporter].map((duty) =>
        duty.stop(),
      ),
    );
    await Promise.all([certificates?.stop(), metricsLog?.stop()]);
    // A database that hangs does not say goodbye.
    const stores = [database, authorityStore, checkpointStore, controllerHistory];
    const closed = Promise.all(stores.map((store) => store.close()));
    await Promise.race([closed, wait(CLOSE_DATABASES_MS, undefined, { ref: false })]);
  };
  return {
    app,
    role,
    tokenVerifier,
    triads,
    start: async () => {
      // Listens first: whoever asks during the start is told that it is starting.
      const address = await app.listen({ host: environment.host, port: environment.port });
      log.info({ announce: `${environment.server} started`, address });
      void role.start();
      triads.start(environment.address ?? address);
      sweeper.start();
      protection.start();
      metricsLog?.start();
      controlRooms.start();
      certificates?.start();
      auditing.checkpointWriter.start();
      auditing.controllerHistoryImporter.start();
      licenses.start();
      return address;
    },
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

async function assemble(environment: ServerEnvironment, adapters: ServerAdapters) {
  const { database, authorityStore, checkpointStore, controllerHistory, log } = adapters;
  const { epochs, replication } = database;
  const { clock = PROCESS_CLOCK, sessionPolicy = SESSION_POLICY } = adapters;
  const { region, server, regionAddresses, signingKeys, authorityLeaseMs, renewalEveryMs, skewMs } = environment;
  const policy = { authorityLeaseMs, renewalEveryMs, skewMs };
  const random = Math.random;

  const metrics = new Metrics();
  const leaseTokens = await createLeaseTokens(signingKeys);
  const role = new RoleDuty({ region, server, policy, epochs, authorityStore, clock, log, metrics });
  const databaseAnswers = (): boolean => role.database.kind !== 'unreachable';
  const tokenVerifier = new ApiTokenVerifier({ store: database.apiTokens, clock, log, databaseAnswers });
  const triads = new TriadElection({ server, role, store: database.triads, clock, metrics, log });
  const triadClaims = (): TriadClaims => triads.claims();
  const work = new EpochWork({ region, role, triadClaims, metrics, log, random });
  const followerExpected = Object.keys(regionAddresses).length > 1;
  const acknowledgements = new Acknowledgements({ replication, followerExpected, clock, metrics, log });
  const shared = { region, server, role, work, tokenVerifier, clock, metrics, log };
  const licenses = createLicenses({ ...shared, licensing: environment.licensing, store: database.licenses });
  const integrityChecks = adapters.integrityChecks ?? licenses.integrityChecks;
  const { leases, entitlements, queries } = database;
  const { desk, sweeper } = createGranting({
    ...{
      ...shared,
      policy,
      leases,
      entitlements,
      queries,
      integrityChecks,
      tokens: leaseTokens,
      acknowledgements,
      triadClaims,
    },
    random,
  });
  const protection = new ProtectionDuty({
    ...{ ...shared, replication, authorityStore, acknowledgements },
    policy: { authorityLeaseMs, unprotectedAfterMs: followerExpected ? environment.unprotectedAfterMs : 0 },
  });
  const controlRooms = createControlRooms({ ...shared, store: database.controlRooms });
  const offlineTokens = createOfflineTokens(signingKeys);
  const reclaim = new Reclaim({ store: database.sessions, work, metrics, log, clock, policy: RECLAIM_POLICY });
  const stores = { audit: database.audit, checkpointStore, controllerHistory };
  const auditing = await createAuditing(environment, { ...shared, ...stores, leaseTokens });
  const app = await createApp({
    ...shared,
    triads,
    regionAddresses,
    desk,
    licenseImports: licenses.imports,
    ...controlRooms,
    apiTokenService: new ApiTokenService({ ...shared, store: database.apiTokens }),
    reservationService: new ReservationService({ store: database.reservations, work }),
    offlineService: new OfflineService({ store: database.offline, work, leases: desk, tokens: offlineTokens }),
    leaseTokens,
    database,
    reclaim,
    checkpointStore,
    signer: auditing.signer,
    random,
    sessionPolicy,
    security: environment.security,
  });
  return { app, role, tokenVerifier, triads, sweeper, protection, controlRooms, auditing, licenses, metrics };
}
