import type { OpeningOutcome } from '@evergrant/server/epochs/store';
import type { SimulationContext } from '../context';

/** Largest time between a decision and its latch. The region may recover in between. */
const DECISION_AGE_MAX_MS = 60_000;
/** Twelve samples, at least eight seconds apart. */
const WINDOW_MS_MIN = 80_000;

/** Largest gap between two renewals of a region that renews. */
const RENEWAL_GAP_MS_MAX = 15_000;
const FOLLOWER_SILENT_MS = 10_000;
/** Time after the last fault within which replication catches up. */
const CALM_MS_MIN = 60_000;

/** `standby_not_ready`: the other region cannot take over. */
type Evidence = 'application' | 'database' | 'witness' | 'follower' | 'standby_not_ready';

/**
 * Checks every failover against the true state of the simulation instead of probes. The state is observed at each
 * change; a failover is judged by how long each observation has held.
 */
export class FailoverChecker {
  readonly #context: SimulationContext;
  readonly #since = new Map<Evidence, number>();
  /** Recent periods in which neither application nor database was up and reachable from all sides. */
  #outages: readonly { readonly fromMs: number; readonly toMs: number }[] = [];
  #outageSinceMs: number | undefined;
  #renewals: { sinceMs: number; lastMs: number } | undefined;

  constructor(context: SimulationContext) {
    this.#context = context;
  }

  observe(): void {
    const { nowMs } = this.#context.virtualClock;
    const evidence = this.#evidence();
    for (const [name, holds] of Object.entries(evidence) as [keyof typeof evidence, boolean][]) {
      if (!holds) this.#since.delete(name);
      else if (!this.#since.has(name)) this.#since.set(name, nowMs);
    }
    const isSeen = evidence.application || evidence.database;
    if (!isSeen) this.#outageSinceMs ??= nowMs;
    else if (this.#outageSinceMs !== undefined) {
      const recent = this.#outages.filter(({ toMs }) => nowMs - toMs <= DECISION_AGE_MAX_MS);
      this.#outages = [...recent, { fromMs: this.#outageSinceMs, toMs: nowMs }];
      this.#outageSinceMs = undefined;
    }
  }

  /** Called when Oregon renews its authority. */
  renewed(): void {
    const { nowMs } = this.#context.virtualClock;
    const continues = this.#renewals !== undefined && nowMs - this.#renewals.lastMs < RENEWAL_GAP_MS_MAX;
    this.#renewals = { sinceMs: continues ? (this.#renewals?.sinceMs ?? nowMs) : nowMs, lastMs: nowMs };
  }

  get #renewingForMs(): number {
    const { nowMs } = this.#context.virtualClock;
    if (this.#renewals === undefined || nowMs - this.#renewals.lastMs > RENEWAL_GAP_MS_MAX) return 0;
    return nowMs - this.#renewals.sinceMs;
  }

  /** Called when an automatic failover has taken the epoch. */
  checkFailover(): void {
    this.observe();
    const { violations, virtualClock } = this.#context;
    const { nowMs } = virtualClock;
    const forMs = (who: Evidence): number => {
      const since = this.#since.get(who);
      return since === undefined ? 0 : nowMs - since;
    };
    for (const who of ['application', 'database'] as const) {
      if (forMs(who) > DECISION_AGE_MAX_MS) {
        violations.record('failover-of-healthy-region', `the ${who} had been up for ${Math.round(forMs(who))} ms`);
      }
    }
    for (const who of ['witness', 'follower'] as const) {
      if (forMs(who) > DECISION_AGE_MAX_MS) {
        violations.record(
          'failover-against-evidence',
          `the ${who} had seen the region alive for ${Math.round(forMs(who))} ms`,
        );
      }
    }
    if (this.#renewingForMs > DECISION_AGE_MAX_MS) {
      violations.record(
        'failover-against-evidence',
        `the region had renewed its authority for ${Math.round(this.#renewingForMs)} ms`,
      );
    }
    if (forMs('standby_not_ready') > DECISION_AGE_MAX_MS) {
      violations.record(
        'failover-to-unready-region',
        `the other region had not been ready for ${Math.round(forMs('standby_not_ready'))} ms`,
      );
    }
    this.#checkWindow(nowMs);
  }

  /** A switchover that was requested in calm must not reckon with any loss. */
  checkOpening(outcome: OpeningOutcome): void {
    const { authorityStore, virtualClock, calmSinceMs, violations } = this.#context;
    const { operation } = authorityStore.control;
    if (outcome.kind !== 'opened' || !operation || operation.automatic) return;
    const sinceStartMs = Math.max(0, authorityStore.host.wallMs() - operation.startedAtMs);
    const calmMs = virtualClock.nowMs - sinceStartMs - calmSinceMs;
    if (calmMs < CALM_MS_MIN || outcome.possibleLoss === 'nothing') return;
    violations.record('loss-in-switchover', `the opening reckoned with the loss of ${outcome.possibleLoss}`);
  }

  /** The region may have recovered since the decision and failed again. */
  #checkWindow(nowMs: number): void {
    const now = this.#outageSinceMs === undefined ? [] : [{ fromMs: this.#outageSinceMs, toMs: nowMs }];
    const windows = [...this.#outages, ...now].filter(({ toMs }) => nowMs - toMs <= DECISION_AGE_MAX_MS);
    if (windows.length === 0) return;
    const longestMs = Math.max(...windows.map(({ fromMs, toMs }) => toMs - fromMs));
    if (longestMs < WINDOW_MS_MIN) {
      this.#context.violations.record('failover-before-window', `both were down for ${Math.round(longestMs)} ms`);
    }
  }

  #evidence(): Record<Evidence, boolean> {
    const { regions, network, witness, databases } = this.#context;
    const { router, servers, database } = regions.oregon;
    const isServing = router.isRunning && servers.some(({ host }) => host.isRunning);
    const isWitnessed = isServing && witness.host.isRunning && network.isClear('oregon', 'ohio');
    const databaseUp = database?.host.isRunning === true && database.role === 'primary';
    const stream = databases.stream('oregon');
    const heardAtMs = stream?.isStreaming === true ? stream.heardAtMs : undefined;
    const hearsPrimary = heardAtMs !== undefined && this.#context.virtualClock.nowMs - heardAtMs < FOLLOWER_SILENT_MS;
    const { virginia } = regions;
    const standby = virginia.database?.host.isRunning === true;
    const clear = network.isClear('oregon', 'virginia');
    return {
      application: isWitnessed && clear,
      database: databaseUp && clear,
      witness: isWitnessed && network.isClear('ohio', 'virginia'),
      follower: databaseUp && hearsPrimary && standby && network.isClear('virginia', 'virginia'),
      standby_not_ready:
        !standby || virginia.database?.replayPaused === true || !virginia.servers.some(({ host }) => host.isRunning),
    };
  }
}
