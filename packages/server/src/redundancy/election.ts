import type { Logger } from 'pino';
import type { RoleMonitor } from '../epochs/role-monitor';
import { BackgroundJob, JobFailures, type JobReport } from '../platform/background-job';
import type { MonotonicClock } from '../platform/clock';
import type { Metrics } from '../platform/metrics';
import type { PeerView, QuorumVerdict } from './core/quorum';
import {
  claimOn,
  quorumOf,
  serverInControl,
  TRIAD_POLICY,
  type TriadClaims,
  type TriadFacts,
  triadName,
  triadStep,
  viewOf,
} from './core/triad';
import type { TriadStore } from './store';
import { TriadMetrics } from './triad-metrics';

interface TriadElectionOptions {
  readonly server: string;
  readonly role: RoleMonitor;
  readonly store: TriadStore;
  readonly clock: MonotonicClock;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/** A triad as this server read it last. */
export interface TriadView {
  readonly servers: readonly { readonly server: string; readonly view: PeerView }[];
  readonly quorum: QuorumVerdict;
  readonly inControl: string | null;
  readonly term: number;
}

interface HeldTerm {
  readonly term: number;
  /** Monotonic time before the renewal was sent, so that no delay makes the term look fresher than it is (S5). */
  readonly provenFromMs: number;
}

/** The state of a triad that is logged when it changes. */
interface QuorumState {
  readonly quorum: QuorumVerdict;
  readonly absent: readonly string[];
}

const HEARTBEAT_EVERY_MS = 1_000;

/**
 * Elects the server in control of each triad, for licenses that are dedicated to three servers. Every second this server
 * records that it is present, and renews or acquires control as `triadStep` decides. It writes nothing when no license
 * is redundant.
 */
export class TriadElection {
  readonly #options: TriadElectionOptions;
  readonly #job: BackgroundJob;
  readonly #failures: JobFailures;
  readonly #metrics: TriadMetrics;
  readonly #held = new Map<string, HeldTerm>();
  readonly #logged = new Map<string, QuorumState>();
  #triads: readonly TriadFacts[] = [];
  #address = '';

  constructor(options: TriadElectionOptions) {
    this.#options = options;
    this.#metrics = new TriadMetrics(options.metrics.registry);
    const { log, metrics } = options;
    const report: JobReport = {
      name: 'triad_election',
      failureMessage: 'presence or control of a triad could not be recorded',
      retryableLevel: 'warn',
      log,
      metrics,
    };
    this.#failures = new JobFailures(report);
    this.#job = new BackgroundJob({ ...report, everyMs: HEARTBEAT_EVERY_MS, step: () => this.#step() });
  }

  /** @param address the address at which clients reach this server itself */
  start(address: string): void {
    this.#address = address;
    void this.#job.start();
  }

  /** Resigns, so that the other servers need not wait until the control lease expires. */
  async stop(): Promise<void> {
    await this.#job.stop();
    if (!this.#isMember(this.#triads) || this.#options.role.database.kind !== 'writable') return;
    const claims = this.claims();
    this.#held.clear();
    await this.#options.store.resign(claims).catch((error) => this.#failures.failed(error));
  }

  /** Returns the terms whose renewal is still fresh. A process that was stopped for too long holds none. */
  claims(): TriadClaims {
    const { clock, server } = this.#options;
    const fresh = [...this.#held].filter(
      ([, { provenFromMs }]) => clock.nowMs() < provenFromMs + TRIAD_POLICY.controlLeaseMs,
    );
    return { server, terms: new Map(fresh.map(([name, { term }]) => [name, term])) };
  }

  views(): readonly TriadView[] {
    return this.#triads.map((facts) => ({
      servers: facts.servers.map((server) => ({ server, view: viewOf(facts, server, TRIAD_POLICY) })),
      quorum: quorumOf(facts, TRIAD_POLICY),
      inControl: serverInControl(facts, TRIAD_POLICY) ?? null,
      term: facts.control.term,
    }));
  }

  async #step(): Promise<void> {
    const { role, store, server } = this.#options;
    // A follower replicates the rows of the other region's servers, and it is read-only.
    if (role.database.kind !== 'writable') {
      this.#triads = [];
      return;
    }
    if (this.#isMember(this.#triads)) await store.heartbeat({ server, address: this.#address });
    const provenFromMs = this.#options.clock.nowMs();
    const triads = await store.read();
    const isNewMember = this.#isMember(triads) && !this.#isMember(this.#triads);
    this.#triads = triads;
    for (const facts of triads) await this.#renewOrAcquire(facts, provenFromMs);
    this.#report();
    if (isNewMember) this.#job.kick();
  }

  async #renewOrAcquire(facts: TriadFacts, provenFromMs: number): Promise<void> {
    const { store, server, log } = this.#options;
    const { servers } = facts;
    const name = triadName(servers);
    const step = triadStep(facts, claimOn(this.claims(), servers), TRIAD_POLICY);
    if (step.kind === 'renew') {
      if (await store.renew(servers, { server, term: step.term })) {
        this.#held.set(name, { term: step.term, provenFromMs });
        return;
      }
    } else if (step.kind === 'acquire') {
      const outcome = await store.acquire({ servers, server, fromTerm: step.fromTerm });
      if (outcome.kind === 'acquired') {
        const { term, leasesProlonged } = outcome;
        this.#held.set(name, { term, provenFromMs });
        this.#metrics.acquired.inc({ triad: name });
        this.#job.kick();
        log.info({ announce: `${server} is in control of ${name}, term ${term}: ${leasesProlonged} leases prolonged` });
        return;
      }
    }
    if (this.#held.delete(name)) {
      const reason = step.kind === 'wait' ? step.reason : 'another server acquired control';
      log.warn({ announce: `${server} is no longer in control of ${name}: ${reason.replaceAll('_', ' ')}` });
    }
  }

  #isMember(triads: readonly TriadFacts[]): boolean {
    return triads.some(({ servers }) => servers.includes(this.#options.server));
  }

  /** Updates the metrics, and logs each change of a quorum or of the present servers once. */
  #report(): void {
    this.#metrics.show(this.views(), this.#options.server);
    for (const { servers, quorum } of this.views()) {
      const name = triadName(servers.map(({ server }) => server));
      const absent = servers.filter(({ view }) => view !== 'present').map(({ server }) => server);
      const before = this.#logged.get(name);
      if (before?.quorum === quorum && before.absent.length === absent.length) continue;
      this.#logged.set(name, { quorum, absent });
      if (servers.some(({ server }) => server === this.#options.server)) this.#logChange(name, { quorum, absent });
      else if (!before) this.#logNotMember(name);
    }
  }

  /** Makes a misspelled server name visible on the server. Without this line only clients would notice it. */
  #logNotMember(triad: string): void {
    const { log, server } = this.#options;
    log.info({ announce: `server ${server} is not in triad ${triad}; its licenses are not served here`, triad });
  }

  #logChange(triad: string, { quorum, absent }: QuorumState): void {
    const { log } = this.#options;
    const missing = absent.join(' and ');
    if (quorum !== 'won') {
      const announce = `triad ${triad} has no quorum: no heartbeat from ${missing}; nothing is granted or renewed`;
      log.error({ announce, alert: 'triad-no-quorum', triad, absent });
    } else if (absent.length > 0) {
      const announce = `triad ${triad}: no heartbeat from ${missing}; granting stops if one more server is lost`;
      log.warn({ announce, alert: 'triad-degraded', triad, absent });
    } else {
      log.info({ announce: `triad ${triad}: all servers are present`, triad });
    }
  }
}
