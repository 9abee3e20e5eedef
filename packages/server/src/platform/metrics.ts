import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { PoolView } from '../granting/store';

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/** What this server counts; one registry a server, so that several can live in one process. */
export class Metrics {
  readonly registry = new Registry();
  readonly #shared = { registers: [this.registry] };

  readonly grants = new Counter({
    ...this.#shared,
    name: 'evergrant_grants_total',
    help: 'Checkouts granted: new, again (the same request repeated) or adopted (a lease of a lost region)',
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
    help: 'Checkouts answered with a place in line: new, again (kept by asking again) or taken_up (lost with a region)',
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
    help: 'Leases of sessions that closed unasked: reclaimed, renewed_elsewhere, or kept: crowd, not_granting',
    labelNames: ['outcome'] as const,
  });
  readonly adoptions = new Counter({
    ...this.#shared,
    name: 'evergrant_adoptions_total',
    help: 'Leases taken over from the token of an earlier epoch',
  });
  readonly expiries = new Counter({
    ...this.#shared,
    name: 'evergrant_expiries_total',
    help: 'Leases ended by the sweeper because their time had passed',
  });
  readonly rateLimited = new Counter({
    ...this.#shared,
    name: 'evergrant_rate_limited_total',
    help: 'Requests refused because their caller asked too much, by the limit that it met',
    labelNames: ['limit'] as const,
  });
  readonly connectionsDropped = new Counter({
    ...this.#shared,
    name: 'evergrant_connections_dropped_total',
    help: 'Connections dropped because there were as many as there may be',
  });
  readonly tlsCertificateExpiry = new Gauge({
    ...this.#shared,
    name: 'evergrant_tls_certificate_expiry_timestamp_seconds',
    help: 'When the TLS certificate in use expires; 0 without TLS',
  });
  readonly controlRoomMovements = new Counter({
    ...this.#shared,
    name: 'evergrant_control_room_movements_total',
    help: 'Control Rooms that became active, fail_safe or suspended, and why',
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
    help: 'Duration of one transaction with its retries',
    labelNames: ['verb'] as const,
    buckets: SECONDS,
  });
  readonly acknowledgementSeconds = new Histogram({
    ...this.#shared,
    name: 'evergrant_acknowledgement_seconds',
    help: "How long an answer waited for the other region's follower, and whether it was reached or too_late",
    labelNames: ['outcome'] as const,
    buckets: SECONDS,
  });
  readonly contentions = new Counter({
    ...this.#shared,
    name: 'evergrant_contentions_total',
    help: 'Transactions tried again because the database chose another one',
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
    help: 'License files brought to this server, by outcome',
    labelNames: ['outcome'] as const,
  });
  readonly licenseProven = new Gauge({
    ...this.#shared,
    name: 'evergrant_license_proven',
    help: '1 while the database says of the license what its vendor signed, 0 while it does not and nothing is granted',
    labelNames: ['license'] as const,
  });
  readonly #licenseValidDays = new Gauge({
    ...this.#shared,
    name: 'evergrant_license_valid_days',
    help: 'Days until the license ends; negative once it has',
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
    help: "1 while grants go without waiting for the other region's follower, which is gone",
  });
  readonly epoch = new Gauge({
    ...this.#shared,
    name: 'evergrant_epoch',
    help: 'The newest epoch this server knows of',
  });
  readonly auditUnproven = new Gauge({
    ...this.#shared,
    name: 'evergrant_audit_unproven_seconds',
    help: 'Since when no checkpoint of the audit log was known to be stored, while this server grants',
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
    help: 'Live places in the line for seats of a pool',
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
