import type { Logger } from 'pino';
import type { UncertaintyPolicy } from '../granting/core/adoption';
import { BackgroundJob } from '../platform/background-job';
import type { MonotonicClock } from '../platform/clock';
import type { Metrics } from '../platform/metrics';
import type { Timers } from '../platform/timers';
import { type Freshness, newerAuthority } from './core/authority';
import type { UnprotectedRecord } from './core/replication-mode';
import {
  type DatabaseFact,
  mayAcknowledge,
  type NotGrantingReason,
  newestEpoch,
  type RoleFacts,
  type RoleVerdict,
  roleVerdict,
  type SchemaAge,
} from './core/role';
import { FollowerCount } from './follower-count';
import type { EpochStore, ServerAuthorityStore } from './store';

export interface RolePolicy extends UncertaintyPolicy {
  readonly renewalEveryMs: number;
}

/** The rule of S5 that `RoleMonitor` applies immediately before an answer. */
export interface AuthorityPolicy {
  mayAcknowledge(epoch: number, facts: RoleFacts, freshness: Freshness): boolean;
}

export const AUTHORITY_POLICY: AuthorityPolicy = { mayAcknowledge };

export interface RoleMonitorOptions {
  readonly region: string;
  readonly server: string;
  readonly policy: RolePolicy;
  readonly epochs: EpochStore;
  readonly authorityStore: Pick<ServerAuthorityStore, 'renew'>;
  readonly clock: MonotonicClock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** @default AUTHORITY_POLICY */
  readonly authorityPolicy?: AuthorityPolicy | undefined;
  /** @default the process's own */
  readonly timers?: Timers | undefined;
}

const OBSERVE_EVERY_MS = 500;
/** Interval while a beacon waits for its acknowledgement, which usually takes one round trip. */
const AWAIT_ACKNOWLEDGEMENT_EVERY_MS = 100;
/** Interval of renewals while an epoch of this region waits for its opening. */
const AWAIT_OPENING_EVERY_MS = 200;
/** Authority is not renewed when the database was last seen writable longer ago than this. */
const OBSERVATION_AGE_MAX_MS = 3_000;

/** A reading of the database's clock that takes longer is repeated: the moment that it shows is not known well enough. */
const CLOCK_READING_MS_MAX = 1_000;

interface Beacon {
  readonly lsn: string;
  readonly provenFromMs: number;
}

/**
 * Keeps the facts about database and authority fresh, and answers from memory whether this server grants ("The one
 * rule" and S5 in docs/architecture.md). Each proof has a separate loop: one proof is enough, so a source that hangs
 * must never delay the other. Each call evaluates freshness again, so a process that was stopped finds its proof
 * expired.
 */
export class RoleMonitor {
  readonly #options: RoleMonitorOptions;
  readonly #observation: BackgroundJob;
  readonly #renewal: BackgroundJob;
  readonly #beacons: BackgroundJob;
  readonly #opening: BackgroundJob;
  readonly #followerCount: FollowerCount;
  #facts: RoleFacts;
  readonly #startedAtMs: number;
  #streamedAtMs: number;
  #observedAtMs = Number.NEGATIVE_INFINITY;
  /** When the present authority record arrived. */
  #recordReadAtMs = Number.NEGATIVE_INFINITY;
  #followerStreaming = false;
  #beacon: Beacon | undefined;
  #beaconLagMs = 0;
  #loggedRole = '';

  constructor(options: RoleMonitorOptions) {
    this.#options = options;
    this.#startedAtMs = options.clock.nowMs();
    this.#followerCount = new FollowerCount(options);
    this.#streamedAtMs = this.#startedAtMs;
    this.#facts = {
      region: options.region,
      draining: false,
      database: { kind: 'unknown' },
      authority: undefined,
      proofs: {},
    };
    const { policy, log, metrics, timers } = options;
    const shared = { log, metrics, timers };
    this.#observation = new BackgroundJob({
      ...shared,
      name: 'role_observation',
      everyMs: () => (this.#beacon ? AWAIT_ACKNOWLEDGEMENT_EVERY_MS : OBSERVE_EVERY_MS),
      purpose: () => (this.#beacon ? 'await_beacon' : 'observe_role'),
      step: () => this.#observe(),
      failureMessage: 'the database could not be observed',
    });
    this.#renewal = new BackgroundJob({
      ...shared,
      name: 'authority_renewal',
      everyMs: () => this.#renewalDelayMs(),
      step: () => this.#renew(),
      failureMessage: 'the authority store does not answer',
      recoveryMessage: 'the authority store answers again',
      retryableLevel: 'warn',
    });
    this.#beacons = new BackgroundJob({
      ...shared,
      name: 'replication_beacon',
      everyMs: policy.renewalEveryMs,
      step: () => this.#sendBeacon(),
      failureMessage: 'the beacon could not be written',
    });
    this.#opening = new BackgroundJob({
      ...shared,
      name: 'epoch_opening',
      everyMs: () => this.#renewalDelayMs(),
      step: () => this.#openEpochIfDue(),
      failureMessage: 'the epoch could not be opened',
      retryableLevel: 'warn',
    });
  }

  async start(): Promise<void> {
    await Promise.all(this.#jobs.map((job) => job.start()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#jobs.map((job) => job.stop()));
  }

  get #jobs(): readonly BackgroundJob[] {
    return [this.#observation, this.#renewal, this.#beacons, this.#opening];
  }

  /** From this call on the server reports that it does not grant. Requests on open connections are still served. */
  drain(): void {
    this.#facts = { ...this.#facts, draining: true };
    this.#reportRole();
  }

  get isDraining(): boolean {
    return this.#facts.draining;
  }

  /** The role that the server reports, for example in `/v1/status`. */
  verdict(): RoleVerdict {
    return roleVerdict(this.#facts, this.#freshness());
  }

  /** The role for deciding a request. Requests that arrive during the drain are still decided. */
  verdictOnRequest(): RoleVerdict {
    return roleVerdict({ ...this.#facts, draining: false }, this.#freshness());
  }

  /** Returns true when a commit in `epoch` may be acknowledged now. */
  mayAcknowledge(epoch: number): boolean {
    const { authorityPolicy = AUTHORITY_POLICY } = this.#options;
    return authorityPolicy.mayAcknowledge(epoch, this.#facts, this.#freshness());
  }

  get database(): DatabaseFact {
    return this.#facts.database;
  }

  get newestEpoch(): { epoch: number; region: string } | undefined {
    return newestEpoch(this.#facts);
  }

  /** Time since the follower's last proof, or since the start of this server when there is none. */
  get acknowledgedAgoMs(): number {
    const { acknowledgement } = this.#facts.proofs;
    return this.#options.clock.nowMs() - (acknowledgement?.provenFromMs ?? this.#startedAtMs);
  }

  /** Time since the follower was last seen streaming, or since the start of this server. */
  get streamedAgoMs(): number {
    return this.#options.clock.nowMs() - this.#streamedAtMs;
  }

  /** The last epoch that granted without waiting for the follower, by the newest authority record. */
  get unprotectedRecord(): UnprotectedRecord | undefined {
    return this.#facts.authority?.unprotected;
  }

  /** The measured delay of the follower's acknowledgements; at least the age of a beacon that still waits for its own. */
  get followerLagMs(): number {
    const waitingMs = this.#beacon ? this.#options.clock.nowMs() - this.#beacon.provenFromMs : 0;
    return Math.max(waitingMs, this.#beaconLagMs);
  }

  /** Observes the database now, because a request saw a state that differs from the facts. */
  refresh(): void {
    this.#observation.kick();
  }

  #freshness(): { nowMs: number; authorityLeaseMs: number } {
    return { nowMs: this.#options.clock.nowMs(), authorityLeaseMs: this.#options.policy.authorityLeaseMs };
  }

  async #observe(): Promise<void> {
    const beacon = this.#beacon;
    const before = this.#facts.database;
    const observation = await this.#options.epochs.observe(beacon?.lsn);
    const { database, followers, followerStreaming, beaconAcknowledged, failure } = observation;
    this.#observedAtMs = this.#options.clock.nowMs();
    this.#followerStreaming = followerStreaming;
    if (database.kind === 'writable' && followers !== undefined) this.#followerCount.record(followers);
    if (followerStreaming) this.#streamedAtMs = this.#observedAtMs;
    const lastEpoch = before.kind === 'unknown' ? undefined : before.epoch;
    this.#facts = {
      ...this.#facts,
      database: database.kind === 'unreachable' ? { ...database, epoch: lastEpoch } : database,
    };
    if (beacon && beaconAcknowledged) {
      const acknowledgement = { provenFromMs: beacon.provenFromMs };
      this.#facts = { ...this.#facts, proofs: { ...this.#facts.proofs, acknowledgement } };
      this.#beacon = undefined;
      this.#beaconLagMs = this.#observedAtMs - beacon.provenFromMs;
    }
    if (before.kind !== database.kind) {
      this.#options.log.info(
        { before: before.kind, now: database.kind, failure: failure?.message },
        'the state of the database changed',
      );
      if (database.kind === 'writable') {
        this.#renewal.kick();
        this.#beacons.kick();
      }
      if (database.kind === 'outdated') this.#logOutdatedSchema(database.schema);
    }
    this.#reportRole();
  }

  async #renew(): Promise<void> {
    try {
      await this.#requestRenewal();
    } finally {
      this.#reportRole();
      if (this.verdict().kind === 'must_open_epoch') this.#opening.kick();
    }
  }

  async #requestRenewal(): Promise<void> {
    const { authorityStore, clock, region, server } = this.#options;
    // Read before the request is sent: a slow answer must not make the proof look fresher than it is.
    const provenFromMs = clock.nowMs();
    const renew =
      this.#facts.database.kind === 'writable' && provenFromMs - this.#observedAtMs < OBSERVATION_AGE_MAX_MS;
    const { record, renewedEpoch } = await authorityStore.renew({ region, server, renew });
    this.#facts = { ...this.#facts, authority: newerAuthority(this.#facts.authority, record) };
    if (this.#facts.authority === record) this.#recordReadAtMs = clock.nowMs();
    if (renewedEpoch === undefined) return;
    const renewal = { epoch: renewedEpoch, provenFromMs };
    this.#facts = { ...this.#facts, proofs: { ...this.#facts.proofs, renewal } };
  }

  /** At most one beacon is outstanding. A beacon older than the authority lease proves nothing and is replaced. */
  async #sendBeacon(): Promise<void> {
    if (this.#facts.database.kind !== 'writable' || !this.#followerStreaming) return;
    const { clock, policy, epochs } = this.#options;
    const provenFromMs = clock.nowMs();
    if (this.#beacon && provenFromMs - this.#beacon.provenFromMs < policy.authorityLeaseMs) return;
    if (this.#beacon) this.#beaconLagMs = provenFromMs - this.#beacon.provenFromMs;
    try {
      this.#beacon = { lsn: await epochs.writeBeacon(), provenFromMs };
    } finally {
      this.#observation.kick();
    }
  }

  async #openEpochIfDue(): Promise<void> {
    const verdict = this.verdict();
    if (verdict.kind !== 'must_open_epoch') return;
    const { epochs, region, server, policy, log } = this.#options;
    const { epoch } = verdict;
    const lapsedAtMs = await this.#lapsedAtMs();
    if (lapsedAtMs === undefined) return;
    try {
      const outcome = await epochs.open({
        epoch,
        region,
        openedBy: server,
        policy,
        lapsedAtMs,
        unprotected: this.#facts.authority?.unprotected,
      });
      if (outcome.kind === 'opened') {
        const { leasesExtended, seatsHeldBack } = outcome;
        log.info({
          announce: `${server} opened epoch ${epoch}: ${leasesExtended} leases extended, ${seatsHeldBack} seats held back`,
          epoch,
          ...outcome,
        });
      }
    } finally {
      await this.#observe();
    }
  }

  /**
   * When the last proof of an earlier epoch expired, by the database's clock, and never earlier. Read before the opening,
   * so that a wait inside it moves nothing. Undefined when the reading took too long to be exact.
   */
  async #lapsedAtMs(): Promise<number | undefined> {
    const { clock, epochs, log } = this.#options;
    const { authority } = this.#facts;
    const askedAtMs = clock.nowMs();
    // The record has the age that the last proof had when the record was read. The process may have been stopped since.
    const lapsedAgoMs = (authority?.lapsedAgoMs ?? 0) + Math.max(0, askedAtMs - this.#recordReadAtMs);
    const databaseMs = await epochs.readClock();
    const tookMs = clock.nowMs() - askedAtMs;
    if (tookMs <= CLOCK_READING_MS_MAX) return databaseMs - lapsedAgoMs;
    log.warn({ tookMs }, "the epoch is not opened yet: reading the database's clock took too long");
    return undefined;
  }

  #renewalDelayMs(): number {
    const { region, policy } = this.#options;
    const { authority } = this.#facts;
    const verdict = this.verdict();
    const opening = verdict.kind === 'must_open_epoch' || (authority?.region === region && !authority.open);
    return opening ? Math.min(AWAIT_OPENING_EVERY_MS, policy.renewalEveryMs) : policy.renewalEveryMs;
  }

  #logOutdatedSchema({ found, needed }: SchemaAge): void {
    const { log, server } = this.#options;
    const has = found === undefined ? 'the schema of an earlier release' : `the schema of migration ${found}`;
    log.error({
      announce: `${server} does not grant: its database has ${has}, and this release needs migration ${needed}; run the migrations of this release first`,
      found,
      needed,
    });
  }

  /** Updates the gauges, and logs each change of role once. */
  #reportRole(): void {
    const verdict = this.verdict();
    const { log, metrics, server } = this.#options;
    metrics.granting.set(verdict.kind === 'granting' ? 1 : 0);
    const newest = this.newestEpoch;
    if (newest) metrics.epoch.set(newest.epoch);
    const now = verdict.kind === 'granting' ? `granting epoch ${verdict.epoch}` : reasonOf(verdict);
    if (now === this.#loggedRole) return;
    const granted = this.#loggedRole.startsWith('granting');
    this.#loggedRole = now;
    if (verdict.kind === 'granting')
      log.info({ announce: `${server} begins granting epoch ${verdict.epoch}`, epoch: verdict.epoch });
    else if (granted) log.warn({ announce: `${server} stops granting: ${now}`, reason: now });
    else log.info({ reason: now }, 'not granting');
  }
}

/** The published reason. An epoch that this server is about to open counts as not open. */
export function reasonOf(verdict: Exclude<RoleVerdict, { kind: 'granting' }>): NotGrantingReason {
  return verdict.kind === 'must_open_epoch' ? 'epoch_not_open' : verdict.reason;
}
