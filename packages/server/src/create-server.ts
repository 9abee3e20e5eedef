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
import { AcknowledgementGate } from './epochs/acknowledgement-gate';
import { EpochTransactions } from './epochs/epoch-transactions';
import { ReplicationModeController } from './epochs/replication-mode-controller';
import { ReplicationTracker } from './epochs/replication-tracker';
import { RoleMonitor } from './epochs/role-monitor';
import type { ServerAuthorityStore } from './epochs/store';
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
import { SeatReclaimer } from './sessions/seat-reclaimer';

export interface LicenseServer {
  readonly app: FastifyInstance;
  readonly role: RoleMonitor;
  readonly tokenVerifier: ApiTokenVerifier;
  readonly triads: TriadElection;
  /** Starts to listen and to observe database and authority. Resolves to the address. */
  start(): Promise<string>;
  /** Stops granting, finishes the requests in flight and closes every connection. Repeated calls have no effect. */
  stop(): Promise<void>;
}

export interface ServerAdapters {
  readonly database: LicenseDatabase;
  readonly authorityStore: ServerAuthorityStore;
  readonly checkpointStore: CheckpointStore;
  readonly controllerHistory: ControllerHistory;
  readonly log: Logger;
  /** @default the process's own monotonic clock */
  readonly clock?: MonotonicClock;
  /** @default the signed files in the database */
  readonly integrityChecks?: IntegrityChecks;
  /** @default SESSION_POLICY */
  readonly sessionPolicy?: SessionPolicy;
}

const CLOSE_IDLE_EVERY_MS = 50;
/** Node does not count a connection without any request as idle, and does not time it out while closing. */
const CLOSE_ALL_AFTER_MS = 6_000;
const CLOSE_DATABASES_MS = 1_000;

const PROCESS_CLOCK: MonotonicClock = { nowMs: () => performance.now() };

/** Composes one license server. Several can run in one process. */
export async function createServer(environment: ServerEnvironment, adapters: ServerAdapters): Promise<LicenseServer> {
  const { log } = adapters;
  const { app, jobs, role, tokenVerifier, triads, controlRooms, metrics } = await assemble(environment, adapters);
  const { tls } = environment.security;
  const { logMetricsEveryMs: everyMs } = environment;
  const optionalJobs = [
    everyMs === undefined ? undefined : new MetricsLog({ metrics, log, everyMs }),
    tls && new CertificateWatch({ server: app.server as HttpsServer, files: tls, log, metrics }),
  ].filter((job) => job !== undefined);

  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    role.drain();
    await closeListener(app);
    await controlRooms.stop();
    await Promise.all([...jobs, triads, ...optionalJobs].map((job) => job.stop()));
    await closeStores(adapters);
  };
  return {
    app,
    role,
    tokenVerifier,
    triads,
    start: async () => {
      // The server listens first, so that requests during the start get the answer `starting`.
      const address = await app.listen({ host: environment.host, port: environment.port });
      log.info({ announce: `${environment.server} started`, address });
      triads.start(environment.address ?? address);
      controlRooms.start();
      for (const job of [...jobs, ...optionalJobs]) void job.start();
      return address;
    },
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

async function closeListener(app: FastifyInstance): Promise<void> {
  // A connection that was busy when closing started stays open when it becomes idle, unless it is closed here.
  const closeIdle = setInterval(() => app.server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS);
  const closeAll = setTimeout(() => app.server.closeAllConnections(), CLOSE_ALL_AFTER_MS);
  await app.close().finally(() => {
    clearInterval(closeIdle);
    clearTimeout(closeAll);
  });
}

/** A database that hangs does not confirm the end of a connection, so the wait is bounded. */
async function closeStores({ database, authorityStore, checkpointStore, controllerHistory }: ServerAdapters) {
  const stores = [database, authorityStore, checkpointStore, controllerHistory];
  const closed = Promise.all(stores.map((store) => store.close()));
  await Promise.race([closed, wait(CLOSE_DATABASES_MS, undefined, { ref: false })]);
}

type Core = ReturnType<typeof createCore>;

/** What every feature uses: the role, the transactions of the epoch, and the callers. */
function createCore(environment: ServerEnvironment, adapters: ServerAdapters) {
  const { database, authorityStore, log, clock = PROCESS_CLOCK } = adapters;
  const { epochs, replication } = database;
  const { region, server, regionAddresses, authorityLeaseMs, renewalEveryMs, skewMs } = environment;
  const policy = { authorityLeaseMs, renewalEveryMs, skewMs };
  const metrics = new Metrics();
  const random = Math.random;
  const role = new RoleMonitor({ region, server, policy, epochs, authorityStore, clock, log, metrics });
  const databaseAnswers = (): boolean => role.database.kind !== 'unreachable';
  const tokenVerifier = new ApiTokenVerifier({ store: database.apiTokens, clock, log, databaseAnswers });
  const triads = new TriadElection({ server, role, store: database.triads, clock, metrics, log });
  const triadClaims = (): TriadClaims => triads.claims();
  const transactions = new EpochTransactions({ region, role, triadClaims, metrics, log, random });
  const followerExpected = Object.keys(regionAddresses).length > 1;
  const replicationTracker = new ReplicationTracker({
    ...{ replication, followerExpected, clock, metrics, log },
    followerLagMs: () => role.followerLagMs,
  });
  const gate = new AcknowledgementGate({ transactions, replicationTracker });
  const modeController = new ReplicationModeController({
    ...{ region, server, role, replication, authorityStore, replicationTracker, clock, metrics, log },
    policy: { authorityLeaseMs, unprotectedAfterMs: followerExpected ? environment.unprotectedAfterMs : 0 },
  });
  const shared = { region, server, role, transactions, gate, tokenVerifier, triads, clock, metrics, log, random };
  return { shared, policy, triadClaims, replicationTracker, modeController };
}

async function createFeatures(environment: ServerEnvironment, adapters: ServerAdapters, core: Core) {
  const { shared, policy, triadClaims, replicationTracker } = core;
  const { database, checkpointStore, controllerHistory } = adapters;
  const { licensing, signingKeys } = environment;
  const tokens = await createLeaseTokens(signingKeys);
  const licenses = createLicenses({ ...shared, licensing, store: database.licenses });
  const granting = createGranting({
    ...shared,
    ...{ policy, triadClaims, replicationTracker, tokens },
    leases: database.leases,
    endings: database.endings,
    entitlements: database.entitlements,
    queries: database.queries,
    integrityChecks: adapters.integrityChecks ?? licenses.integrityChecks,
  });
  const controlRooms = createControlRooms({ ...shared, store: database.controlRooms });
  const stores = { audit: database.audit, checkpointStore, controllerHistory };
  const auditing = await createAuditing(environment, { ...shared, ...stores, leaseTokens: tokens });
  return { tokens, licenses, granting, controlRooms, auditing };
}

async function assemble(environment: ServerEnvironment, adapters: ServerAdapters) {
  const core = createCore(environment, adapters);
  const features = await createFeatures(environment, adapters, core);
  const { shared, modeController } = core;
  const { transactions, gate } = shared;
  const { tokens, licenses, granting, controlRooms, auditing } = features;
  const { leaseService, sweeper, endings } = granting;
  const { database, checkpointStore, sessionPolicy = SESSION_POLICY } = adapters;
  const app = await createApp({
    ...shared,
    ...controlRooms,
    regionAddresses: environment.regionAddresses,
    leaseService,
    licenseImports: licenses.imports,
    apiTokenService: new ApiTokenService({ ...shared, store: database.apiTokens }),
    reservationService: new ReservationService({ store: database.reservations, gate }),
    offlineService: new OfflineService({
      store: database.offline,
      transactions,
      gate,
      leases: leaseService,
      tokens: createOfflineTokens(environment.signingKeys),
    }),
    leaseTokens: tokens,
    database,
    seatReclaimer: new SeatReclaimer({ ...shared, endings, store: database.sessions, policy: RECLAIM_POLICY }),
    checkpointStore,
    signer: auditing.signer,
    sessionPolicy,
    security: environment.security,
  });
  const { checkpointWriter, controllerHistoryImporter } = auditing;
  const jobs = [shared.role, sweeper, endings, modeController, licenses, checkpointWriter, controllerHistoryImporter];
  return { app, jobs, controlRooms, ...shared };
}
