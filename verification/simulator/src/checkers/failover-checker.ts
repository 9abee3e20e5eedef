import type { World } from '../world';

/** After a decision the latch may be taken this much later: the region may have come back in between. */
const DECISION_AGE_MAX_MS = 60_000;
/** Twelve samples, no closer together than eight seconds. */
const WINDOW_MS_MIN = 80_000;

/** A region that renews does so at least this often. */
const RENEWAL_GAP_MS_MAX = 15_000;
const FOLLOWER_SILENT_MS = 10_000;

/** `unfit`: the region that would take over cannot. */
type Evidence = 'application' | 'database' | 'witness' | 'follower' | 'unfit';

/**
 * Who can see Oregon alive, by the truth of the simulation and not by anybody's probes. Asked anew whenever something has
 * changed; a failover is judged by since when the answers have been so.
 */
export class Sight {
  readonly #world: World;
  readonly #since = new Map<Evidence, number>();
  /** The times in which neither application nor database was seen by everybody, as far as a decision may rest on them. */
  #unseen: readonly { readonly fromMs: number; readonly toMs: number }[] = [];
  #unseenSinceMs: number | undefined;
  #renewals: { sinceMs: number; lastMs: number } | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  look(): void {
    const { nowMs } = this.#world.clockwork;
    const seen = this.#seen();
    for (const [who, sees] of Object.entries(seen) as [keyof typeof seen, boolean][]) {
      if (!sees) this.#since.delete(who);
      else if (!this.#since.has(who)) this.#since.set(who, nowMs);
    }
    const isSeen = seen.application || seen.database;
    if (!isSeen) this.#unseenSinceMs ??= nowMs;
    else if (this.#unseenSinceMs !== undefined) {
      const recent = this.#unseen.filter(({ toMs }) => nowMs - toMs <= DECISION_AGE_MAX_MS);
      this.#unseen = [...recent, { fromMs: this.#unseenSinceMs, toMs: nowMs }];
      this.#unseenSinceMs = undefined;
    }
  }

  /** Oregon has renewed its authority. */
  renewed(): void {
    const { nowMs } = this.#world.clockwork;
    const goesOn = this.#renewals !== undefined && nowMs - this.#renewals.lastMs < RENEWAL_GAP_MS_MAX;
    this.#renewals = { sinceMs: goesOn ? (this.#renewals?.sinceMs ?? nowMs) : nowMs, lastMs: nowMs };
  }

  get #renewingForMs(): number {
    const { nowMs } = this.#world.clockwork;
    if (this.#renewals === undefined || nowMs - this.#renewals.lastMs > RENEWAL_GAP_MS_MAX) return 0;
    return nowMs - this.#renewals.sinceMs;
  }

  /** An automatic failover has just taken the epoch. */
  judgeFailover(): void {
    this.look();
    const { ledger, clockwork } = this.#world;
    const { nowMs } = clockwork;
    const forMs = (who: Evidence): number => {
      const since = this.#since.get(who);
      return since === undefined ? 0 : nowMs - since;
    };
    for (const who of ['application', 'database'] as const) {
      if (forMs(who) > DECISION_AGE_MAX_MS) {
        ledger.breaks('failover-of-the-living', `the ${who} had been up for ${Math.round(forMs(who))} ms`);
      }
    }
    for (const who of ['witness', 'follower'] as const) {
      if (forMs(who) > DECISION_AGE_MAX_MS) {
        ledger.breaks('failover-against-evidence', `the ${who} had seen it alive for ${Math.round(forMs(who))} ms`);
      }
    }
    if (this.#renewingForMs > DECISION_AGE_MAX_MS) {
      ledger.breaks(
        'failover-against-evidence',
        `it had renewed its authority for ${Math.round(this.#renewingForMs)} ms`,
      );
    }
    if (forMs('unfit') > DECISION_AGE_MAX_MS) {
      ledger.breaks('failover-to-nobody', `the other region had been unable for ${Math.round(forMs('unfit'))} ms`);
    }
    this.#judgeWindow(nowMs);
  }

  /** It may have come back since the decision, and be gone again. */
  #judgeWindow(nowMs: number): void {
    const now = this.#unseenSinceMs === undefined ? [] : [{ fromMs: this.#unseenSinceMs, toMs: nowMs }];
    const windows = [...this.#unseen, ...now].filter(({ toMs }) => nowMs - toMs <= DECISION_AGE_MAX_MS);
    if (windows.length === 0) return;
    const longestMs = Math.max(...windows.map(({ fromMs, toMs }) => toMs - fromMs));
    if (longestMs < WINDOW_MS_MIN) {
      this.#world.ledger.breaks('failover-in-haste', `both were down for ${Math.round(longestMs)} ms`);
    }
  }

  #seen(): Record<Evidence, boolean> {
    const { sites, network, witness, databases } = this.#world;
    const { router, servers, database } = sites.oregon;
    const answers = router.isRunning && servers.some(({ host }) => host.isRunning);
    const witnessed = answers && witness.host.isRunning && network.isClear('oregon', 'ohio');
    const databaseUp = database?.host.isRunning === true && database.role === 'primary';
    const stream = databases.stream('oregon');
    const heardAtMs = stream?.isStreaming === true ? stream.heardAtMs : undefined;
    const hears = heardAtMs !== undefined && this.#world.clockwork.nowMs - heardAtMs < FOLLOWER_SILENT_MS;
    const { virginia } = sites;
    const standby = virginia.database?.host.isRunning === true;
    const clear = network.isClear('oregon', 'virginia');
    return {
      application: witnessed && clear,
      database: databaseUp && clear,
      witness: witnessed && network.isClear('ohio', 'virginia'),
      follower: databaseUp && hears && standby && network.isClear('virginia', 'virginia'),
      unfit:
        !standby || virginia.database?.replayPaused === true || !virginia.servers.some(({ host }) => host.isRunning),
    };
  }
}
