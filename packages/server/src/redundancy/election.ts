import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { RoleDuty } from '../epochs/role-monitor';
import type { MonotonicClock } from '../platform/clock';
import { DatabaseFailure } from '../platform/database-failure';
import { Loop } from '../platform/loop';
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
import type { TriadStore } from './ports';
import { TriadMetrics } from './triad-metrics';

interface TriadDutyOptions {
  readonly server: string;
  readonly role: RoleDuty;
  readonly store: TriadStore;
  readonly clock: MonotonicClock;
  readonly registry: Registry;
  readonly log: Logger;
}

/** A triad as this server last saw it. */
export interface TriadView {
  readonly servers: readonly { readonly server: string; readonly view: PeerView }[];
  readonly quorum: QuorumVerdict;
  readonly inControl: string | null;
  readonly term: number;
}

interface HeldTerm {
  readonly term: number;
  /** From before the renewal left, on this server's monotonic clock: no delay can make it look fresher (S5). */
  readonly provenFromMs: number;
}

/** What of a triad is told when it changes. */
interface Told {
  readonly quorum: QuorumVerdict;
  readonly absent: readonly string[];
}

const BEAT_EVERY_MS = 1_000;

/**
 * For the licenses that are dedicated to three servers: says every second that this one is there, and takes or renews
 * control when the rule (core/triad.ts) says so. Where no license is redundant, nothing is written.
 */
export class TriadDuty {
  readonly #options: TriadDutyOptions;
  readonly #loop: Loop;
  readonly #metrics: TriadMetrics;
  readonly #held = new Map<string, HeldTerm>();
  readonly #told = new Map<string, Told>();
  #known: readonly TriadFacts[] = [];
  #address = '';

  constructor(options: TriadDutyOptions) {
    this.#options = options;
    this.#metrics = new TriadMetrics(options.registry);
    this.#loop = new Loop(
      () => this.#step(),
      () => BEAT_EVERY_MS,
    );
  }

  /** @param address where clients reach this very server */
  start(address: string): void {
    this.#address = address;
    void this.#loop.start();
  }

  /** Gives up what is held, so that the others need not wait for it to lapse. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    if (!this.#isNamed(this.#known) || this.#options.role.database.kind !== 'writable') return;
    const claims = this.claims();
    this.#held.clear();
    await this.#options.store.leave(claims).catch((error) => this.#failed(error));
  }

  /** Terms whose renewal is fresh now: a process that was stopped in between finds that it holds none. */
  claims(): TriadClaims {
    const { clock, server } = this.#options;
    const fresh = [...this.#held].filter(
      ([, { provenFromMs }]) => clock.nowMs() < provenFromMs + TRIAD_POLICY.controlLeaseMs,
    );
    return { server, terms: new Map(fresh.map(([name, { term }]) => [name, term])) };
  }

  views(): readonly TriadView[] {
    return this.#known.map((facts) => ({
      servers: facts.servers.map((server) => ({ server, view: viewOf(facts, server, TRIAD_POLICY) })),
      quorum: quorumOf(facts, TRIAD_POLICY),
      inControl: serverInControl(facts, TRIAD_POLICY) ?? null,
      term: facts.control.term,
    }));
  }

  async #step(): Promise<void> {
    const { role, store, server } = this.#options;
    // A follower's rows tell of the other region's servers, and nothing can be written beside one.
    if (role.database.kind !== 'writable') {
      this.#known = [];
      return;
    }
    try {
      if (this.#isNamed(this.#known)) await store.beat({ server, address: this.#address });
      const provenFromMs = this.#options.clock.nowMs();
      const known = await store.read();
      const firstSeen = this.#isNamed(known) && !this.#isNamed(this.#known);
      this.#known = known;
      for (const facts of known) await this.#control(facts, provenFromMs);
      this.#tell();
      if (firstSeen) this.#loop.kick();
    } catch (error) {
      this.#failed(error);
    }
  }

  async #control(facts: TriadFacts, provenFromMs: number): Promise<void> {
    const { store, server, log } = this.#options;
    const { servers } = facts;
    const name = triadName(servers);
    const step = triadStep(facts, claimOn(this.claims(), servers), TRIAD_POLICY);
    if (step.kind === 'keep') {
      if (await store.keep(servers, { server, term: step.term })) {
        this.#held.set(name, { term: step.term, provenFromMs });
        return;
      }
    } else if (step.kind === 'take') {
      const taken = await store.take({ servers, server, fromTerm: step.fromTerm });
      if (taken.kind === 'taken') {
        const { term, leasesProlonged } = taken;
        this.#held.set(name, { term, provenFromMs });
        this.#metrics.taken.inc({ triad: name });
        this.#loop.kick();
        log.info({ announce: `${server} is in control of ${name}, term ${term}: ${leasesProlonged} leases prolonged` });
        return;
      }
    }
    if (this.#held.delete(name)) {
      const because = step.kind === 'wait' ? step.because : 'another server took it';
      log.warn({ announce: `${server} is not in control of ${name} any more: ${because.replaceAll('_', ' ')}` });
    }
  }

  #isNamed(triads: readonly TriadFacts[]): boolean {
    return triads.some(({ servers }) => servers.includes(this.#options.server));
  }

  /** Says each change of a quorum once, and each server that comes or goes. */
  #tell(): void {
    this.#metrics.show(this.views(), this.#options.server);
    for (const { servers, quorum } of this.views()) {
      const name = triadName(servers.map(({ server }) => server));
      const absent = servers.filter(({ view }) => view !== 'present').map(({ server }) => server);
      const before = this.#told.get(name);
      if (before?.quorum === quorum && before.absent.length === absent.length) continue;
      this.#told.set(name, { quorum, absent });
      if (servers.some(({ server }) => server === this.#options.server)) this.#tellChange(name, { quorum, absent });
      else if (!before) this.#tellNotNamed(name);
    }
  }

  /** A name with a slip of the pen would otherwise show at the clients only. */
  #tellNotNamed(triad: string): void {
    const { log, server } = this.#options;
    log.info({ announce: `${server} is none of ${triad}: it grants nothing from their licenses`, triad });
  }

  #tellChange(triad: string, { quorum, absent }: Told): void {
    const { log } = this.#options;
    const missing = absent.join(' and ');
    if (quorum !== 'won') {
      const announce = `no quorum of ${triad}: ${missing} cannot be seen; nothing is granted or renewed`;
      log.error({ announce, alert: 'triad-no-quorum', triad, absent });
    } else if (absent.length > 0) {
      const announce = `${missing} of ${triad} cannot be seen: the loss of one more stops granting`;
      log.warn({ announce, alert: 'triad-degraded', triad, absent });
    } else {
      log.info({ announce: `all servers of ${triad} are there`, triad });
    }
  }

  #failed(error: unknown): void {
    const expected = error instanceof DatabaseFailure && error.retryable;
    this.#options.log[expected ? 'warn' : 'error'](
      { failure: error instanceof Error ? error.message : error },
      'presence or control could not be written',
    );
  }
}
