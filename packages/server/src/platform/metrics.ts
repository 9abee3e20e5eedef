import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { PoolView } from '../granting/store';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/** The metrics of one server. Each server has its own registry, so that several servers can run in one process. */
export class Metrics {
  readonly registry = new Registry();
  readonly #shared = { registers: [this.registry] };

  readonly grants = new Counter({
    ...this.#shared,
    name: 'evergrant_grants_total',
    help: 'Checkouts granted: new, again (a repeated request) or adopted (a lease of a lost region)',
    labelNames: ['how'] as const,
  });
  readonly overdraftGrants = new Counter({
    ...this.#shared,
    name: 'evergrant_overdraft_grants_total',
    help: 'Checkouts granted beyond the seats that were sold',
    labelNames: ['license', 'product', 'feature'] as const,
  });
  readonly queued = new Counter({
    ...this.#shared,
    name: 'evergrant_queued_total',
    help: 'Checkouts answered with a place in the queue: new, again (a repeated request) or taken_up (a place of a lost region)',
    labelNames: ['how'] as const,
  });
  readonly denials = new Counter({
    ...this.#shared,
    name: 'evergrant_denials_total',
    help: 'Checkouts not granted, by the code of the answer',
    labelNames: ['code'] as const,
  });
  readonly heartbeats = new Counter({
    ...this.#shared,
    name: 'evergrant_heartbeats_total',
    help: 'Heartbeats by outcome',
    labelNames: ['outcome'] as const,
  });
  readonly releases = new Counter({
    ...this.#shared,
    name: 'evergrant_releases_total',
    help: 'Releases by outcome',
    labelNames: ['outcome'] as const,
  });
  readonly reclaims = new Counter({
    ...this.#shared,
    name: 'evergrant_reclaims_total',
    help: 'Leases of sessions that closed without a close frame: reclaimed, renewed_elsewhere, crowd (kept) or not_granting (kept)',
    labelNames: ['outcome'] as const,
  });
  readonly adoptions = new Counter({
    ...this.#shared,
    name: 'evergrant_adoptions_total',
    help: 'Leases adopted from a token of an earlier epoch',
  });
  readonly expiries = new Counter({
    ...this.#shared,
    name: 'evergrant_expiries_total',
    help: 'Expired leases that the sweeper ended',
  });
  readonly rateLimited = new Counter({
    ...this.#shared,
    name: 'evergrant_rate_limited_total',
    help: 'Requests refused by a rate limit, by limit',
    labelNames: ['limit'] as const,
  });
  readonly connectionsDropped = new Counter({
    ...this.#shared,
    name: 'evergrant_connections_dropped_total',
    help: 'Connections dropped at the connection limit',
  });
  readonly tlsCertificateExpiry = new Gauge({
    ...this.#shared,
    name: 'evergrant_tls_certificate_expiry_timestamp_seconds',
    help: 'Expiry of the TLS certificate in use, as a Unix time; 0 without TLS',
  });
  readonly controlRoomMovements = new Counter({
    ...this.#shared,
    name: 'evergrant_control_room_movements_total',
    help: 'Control Rooms that became active, fail_safe or suspended, by reason',
    labelNames: ['to', 'because'] as const,
  });
  readonly batchSize = new Histogram({
    ...this.#shared,
    name: 'evergrant_batch_size',
    help: 'Requests decided in one transaction',
    labelNames: ['verb'] as const,
    buckets: SIZES,
  });
  readonly batchSeconds = new Histogram({
    ...this.#shared,
    name: 'evergrant_batch_seconds',
    help: 'Duration of one transaction, including retries',
    labelNames: ['verb'] as const,
    buckets: SECONDS,
  });
  readonly acknowledgementSeconds = new Histogram({
    ...this.#shared,
    name: 'evergrant_acknowledgement_seconds',
    help: "Time that an answer waited for the other region's follower, by outcome: reached or too_late",
    labelNames: ['outcome'] as const,
    buckets: SECONDS,
  });
  readonly contentions = new Counter({
    ...this.#shared,
    name: 'evergrant_contentions_total',
    help: 'Transactions retried after a conflict with another transaction',
  });
  readonly jobFailures = new Counter({
    ...this.#shared,
    name: 'evergrant_job_failures_total',
    help: 'Failed steps of background jobs, by job',
    labelNames: ['job'] as const,
  });
  readonly requestSeconds = new Histogram({
    ...this.#shared,
    name: 'evergrant_http_request_seconds',
    help: 'Duration of HTTP requests by route and status',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: SECONDS,
  });
  readonly licenseImports = new Counter({
    ...this.#shared,
    name: 'evergrant_license_imports_total',
    help: 'License files submitted to this server, by outcome',
    labelNames: ['outcome'] as const,
  });
  readonly licenseProven = new Gauge({
    ...this.#shared,
    name: 'evergrant_license_proven',
    help: "1 while the license's rows match its signed file; 0 while they differ and nothing is granted",
    labelNames: ['license'] as const,
  });
  readonly #licenseValidDays = new Gauge({
    ...this.#shared,
    name: 'evergrant_license_valid_days',
    help: 'Days until the license ends; negative after its end',
    labelNames: ['license'] as const,
  });
  readonly granting = new Gauge({
    ...this.#shared,
    name: 'evergrant_granting',
    help: '1 while this server grants',
  });
  readonly unprotected = new Gauge({
    ...this.#shared,
    name: 'evergrant_unprotected',
    help: "1 while grants do not wait for the other region's follower, because it is gone",
  });
  readonly followers = new Gauge({
    ...this.#shared,
    name: 'evergrant_followers',
    help: "How many databases may be the other region's follower; with more than one, no acknowledgement counts",
  });
  readonly epoch = new Gauge({
    ...this.#shared,
    name: 'evergrant_epoch',
    help: 'The newest epoch that this server knows',
  });
  readonly auditUnproven = new Gauge({
    ...this.#shared,
    name: 'evergrant_audit_unproven_seconds',
    help: 'Seconds since the last checkpoint of the audit log was stored, while this server grants',
  });
  readonly #poolSeats = new Gauge({
    ...this.#shared,
    name: 'evergrant_pool_seats',
    help: 'Seats of a pool: total, overdraft (in use beyond the total), taken, held_back, reserved or free',
    labelNames: ['license', 'product', 'feature', 'kind'] as const,
  });

  readonly #queueLength = new Gauge({
    ...this.#shared,
    name: 'evergrant_queue_length',
    help: 'Live places in the queue for seats of a pool',
    labelNames: ['license', 'product', 'feature'] as const,
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  showValidity(licenses: readonly { readonly licenseId: string; readonly validDays: number }[]): void {
    this.#licenseValidDays.reset();
    for (const { licenseId, validDays } of licenses) this.#licenseValidDays.set({ license: licenseId }, validDays);
  }

  showPools(pools: readonly PoolView[]): void {
    this.#poolSeats.reset();
    this.#queueLength.reset();
    for (const pool of pools) {
      const { licenseId: license, product, feature, seats, seatsTaken, seatsHeldBack, seatsReserved, seatsFree } = pool;
      const show = (kind: string, value: number) => this.#poolSeats.set({ license, product, feature, kind }, value);
      show('total', seats);
      show('overdraft', Math.max(0, seatsTaken - seats));
      show('taken', seatsTaken);
      show('held_back', seatsHeldBack);
      show('reserved', seatsReserved);
      show('free', seatsFree);
      this.#queueLength.set({ license, product, feature }, pool.queueLength);
    }
  }
}
