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
import type { AuthorityStore, EpochStore } from './store';

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
  readonly authorityStore: Pick<AuthorityStore, 'renew'>;
  readonly clock: MonotonicClock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** @default AUTHORITY_POLICY */
  readonly authorityPolicy?: AuthorityPolicy | undefined;
  /** @default the process's own */
  readonly timers?: Timers | undefined;
}

const OBSERVE_EVERY_MS = 500;
/** How often while a beacon waits for its acknowledgement, which is usually a round trip away. */
const AWAIT_ACKNOWLEDGEMENT_EVERY_MS = 100;
/** How often the store is asked while an epoch of ours waits for its opening. */
const AWAIT_OPENING_EVERY_MS = 200;
/** A database that was last seen writable longer ago than this is no reason to renew authority. */
const OBSERVATION_AGE_MAX_MS = 3_000;

interface Beacon {
  readonly lsn: string;
  readonly provenFromMs: number;
}

/**
 * Keeps the facts about database and authority fresh, and answers from memory whether this server grants ("The one rule"
 * and S5 in docs/architecture.md). Each proof has a loop of its own: either one alone is enough, so a source that hangs
 * must never delay the other. Freshness is judged anew at every question, so a process that was stopped in
 * between finds its proof lapsed.
 */
export class RoleMonitor {
  readonly #options: RoleMonitorOptions;
  readonly #observation: BackgroundJob;
  readonly #renewal: BackgroundJob;
  readonly #beacons: BackgroundJob;
  readonly #opening: BackgroundJob;
  #facts: RoleFacts;
  readonly #startedAtMs: number;
  #streamedAtMs: number;
  #observedAtMs = Number.NEGATIVE_INFINITY;
  #followerStreaming = false;
  #beacon: Beacon | undefined;
  #told = '';

  constructor(options: RoleMonitorOptions) {
    this.#options = options;
    this.#startedAtMs = options.clock.nowMs();
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
      failureMessage: 'no beacon could be written',
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

  /** From here the server says that it does not grant; what still arrives on open connections is served. */
  drain(): void {
    this.#facts = { ...this.#facts, draining: true };
    this.#tell();
  }

  get isDraining(): boolean {
    return this.#facts.draining;
  }

  /** What the server says of itself. */
  verdict(): RoleVerdict {
    return roleVerdict(this.#facts, this.#freshness());
  }

  /** Whether a request may be decided now; one that arrived before the drain still may. */
  verdictOnRequest(): RoleVerdict {
    return roleVerdict({ ...this.#facts, draining: false }, this.#freshness());
  }

  /** Whether what was committed in `epoch` may be acknowledged now. */
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

  /** How long the follower has proven nothing, counted from the start of this server if it never did. */
  get acknowledgedAgoMs(): number {
    const { acknowledgement } = this.#facts.proofs;
    return this.#options.clock.nowMs() - (acknowledgement?.provenFromMs ?? this.#startedAtMs);
  }

  /** How long the follower has not been seen streaming, counted likewise. */
  get streamedAgoMs(): number {
    return this.#options.clock.nowMs() - this.#streamedAtMs;
  }

  /** The last epoch that granted without waiting for the follower, as the authority store had it last. */
  get unprotectedRecord(): UnprotectedRecord | undefined {
    return this.#facts.authority?.unprotected;
  }

  /** A request met something that the facts do not show yet. */
  refresh(): void {
    this.#observation.kick();
  }

  #freshness(): { nowMs: number; authorityLeaseMs: number } {
    return { nowMs: this.#options.clock.nowMs(), authorityLeaseMs: this.#options.policy.authorityLeaseMs };
  }

  async #observe(): Promise<void> {
    const beacon = this.#beacon;
    const before = this.#facts.database;
    const { database, followerStreaming, beaconAcknowledged, failure } = await this.#options.epochs.observe(
      beacon?.lsn,
    );
    this.#observedAtMs = this.#options.clock.nowMs();
    this.#followerStreaming = followerStreaming;
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
    }
    if (before.kind !== database.kind) {
      this.#options.log.info(
        { before: before.kind, now: database.kind, failure: failure?.message },
        'the database changed',
      );
      if (database.kind === 'writable') {
        this.#renewal.kick();
        this.#beacons.kick();
      }
      if (database.kind === 'outdated') this.#tellOutdated(database.schema);
    }
    this.#tell();
  }

  async #renew(): Promise<void> {
    try {
      await this.#askStore();
    } finally {
      this.#tell();
      if (this.verdict().kind === 'must_open_epoch') this.#opening.kick();
    }
  }

  async #askStore(): Promise<void> {
    const { authorityStore, clock, region, server } = this.#options;
    // Read before the request leaves: however long the answer takes, the proof is no younger than this.
    const provenFromMs = clock.nowMs();
    const renew =
      this.#facts.database.kind === 'writable' && provenFromMs - this.#observedAtMs < OBSERVATION_AGE_MAX_MS;
    const { record, renewedEpoch } = await authorityStore.renew({ region, server, renew });
    this.#facts = { ...this.#facts, authority: newerAuthority(this.#facts.authority, record) };
    if (renewedEpoch === undefined) return;
    const renewal = { epoch: renewedEpoch, provenFromMs };
    this.#facts = { ...this.#facts, proofs: { ...this.#facts.proofs, renewal } };
  }

  /** At most one beacon is under way; one that could no longer prove anything is given up. */
  async #sendBeacon(): Promise<void> {
    if (this.#facts.database.kind !== 'writable' || !this.#followerStreaming) return;
    const { clock, policy, epochs } = this.#options;
    const provenFromMs = clock.nowMs();
    if (this.#beacon && provenFromMs - this.#beacon.provenFromMs < policy.authorityLeaseMs) return;
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
    const lapsedAgoMs = this.#facts.authority?.lapsedAgoMs ?? 0;
    try {
      const outcome = await epochs.open({
        ...{ epoch, region, openedBy: server, policy, lapsedAgoMs },
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

  #renewalDelayMs(): number {
    const { region, policy } = this.#options;
    const { authority } = this.#facts;
    const verdict = this.verdict();
    const opening = verdict.kind === 'must_open_epoch' || (authority?.region === region && !authority.open);
    return opening ? Math.min(AWAIT_OPENING_EVERY_MS, policy.renewalEveryMs) : policy.renewalEveryMs;
  }

  #tellOutdated({ found, needed }: SchemaAge): void {
    const { log, server } = this.#options;
    const has = found === undefined ? 'the schema of an earlier release' : `the schema of migration ${found}`;
    log.error({
      announce: `${server} does not grant: its database has ${has}, this release needs migration ${needed}; run the migrations of this release first`,
      found,
      needed,
    });
  }

  /** Says each change of role once. */
  #tell(): void {
    const verdict = this.verdict();
    const { log, metrics, server } = this.#options;
    metrics.granting.set(verdict.kind === 'granting' ? 1 : 0);
    const newest = this.newestEpoch;
    if (newest) metrics.epoch.set(newest.epoch);
    const now = verdict.kind === 'granting' ? `granting epoch ${verdict.epoch}` : reasonOf(verdict);
    if (now === this.#told) return;
    const granted = this.#told.startsWith('granting');
    this.#told = now;
    if (verdict.kind === 'granting')
      log.info({ announce: `${server} begins granting epoch ${verdict.epoch}`, epoch: verdict.epoch });
    else if (granted) log.warn({ announce: `${server} stops granting: ${now}`, reason: now });
    else log.info({ reason: now }, 'not granting');
  }
}

/** An epoch that is about to be opened is, to everyone else, not open. */
export function reasonOf(verdict: Exclude<RoleVerdict, { kind: 'granting' }>): NotGrantingReason {
  return verdict.kind === 'must_open_epoch' ? 'epoch_not_open' : verdict.reason;
}
