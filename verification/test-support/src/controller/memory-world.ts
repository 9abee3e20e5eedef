import type { Alert } from '@evergrant/controller/core/alerts';
import type { AuthorityView } from '@evergrant/controller/core/authority';
import { type ControlRecord, initialControl } from '@evergrant/controller/core/control-record';
import type { DatabaseView } from '@evergrant/controller/core/database-view';
import type { Fact } from '@evergrant/controller/core/facts';
import type { HistoryEntry, RecordedEntry } from '@evergrant/controller/core/history';
import { DEFAULT_POLICY, type Policy } from '@evergrant/controller/core/policy';
import { fromStored, toStoredJson } from '@evergrant/controller/core/stored-json';
import type { AclView, DatabaseServiceView } from '@evergrant/controller/core/views';
import { type CycleOutcome, runCycle } from '@evergrant/controller/cycle';
import type { Ports } from '@evergrant/controller/ports';
import { OperatingError } from '@evergrant/core/operating-error';
import { otherRegion, type Region } from '@evergrant/core/regions';

export const POLICY: Policy = {
  ...DEFAULT_POLICY,
  sampleEveryMs: 1_000,
  samplesToConfirm: 4,
  sampleGapMaxMs: 5_000,
  authorityLeaseMs: 3_000,
  skewMs: 500,
  followerSilentAfterMs: 1_500,
  holdAlertAfterMs: 10_000,
  stuckAlertAfterMs: 5_000,
  fenceMaxMs: 3_000,
  drainMaxMs: 8_000,
  drainAtRestMs: 1_000,
  followerLostAfterMs: 4_000,
  keepsUpWithinBytes: 1_000,
  actWithinMs: 5_000,
  alertResendAfterMs: 5_000,
};

const STEP_MS = 100;

export interface MemoryDatabase {
  alive: boolean;
  role: 'primary' | 'follower' | 'archived' | 'building' | 'failed';
  lsn: number;
  receivedLsn: number;
  /** The follower is connected to its source. Never true while the source is down. */
  streaming: boolean;
  /** The network link from a follower to its source. */
  linked: boolean;
  replayPaused: boolean;
  closedEpochs: Set<number>;
  newestEpoch: number;
  promotions: number;
}

/** The effects in order, for assertions on what must and what must not happen. */
export interface Effect {
  readonly what: string;
  readonly detail: string;
  readonly atMs: number;
}

/**
 * Two regions in memory, with the same conditional semantics as the real stores. A write states the version or the
 * epoch that it read, and the store rejects it when that is outdated. Time moves only through `pass`.
 */
export class MemoryWorld {
  nowMs = 1_000_000;
  authority: Omit<AuthorityView, 'readAtMs'> = {
    epoch: 1,
    region: 'oregon',
    operationId: undefined,
    latchedAtMs: 0,
    opensAtMs: 0,
    renewedAtMs: 999_900,
    renewedBy: 'oregon/app-1',
  };
  version = 1;
  record: ControlRecord = initialControl(this.nowMs);
  readonly history: HistoryEntry[] = [];
  readonly alerts: Alert[] = [];
  readonly effects: Effect[] = [];
  readonly databases: Record<Region, MemoryDatabase> = { oregon: database('primary'), virginia: database('follower') };
  readonly apps: Record<Region, Fact['reading']> = { oregon: 'up', virginia: 'up' };
  readonly databaseLink: Record<Region, 'open' | 'cut' | 'our-fault'> = { oregon: 'open', virginia: 'open' };
  readonly routerReachable: Record<Region, boolean> = { oregon: true, virginia: true };
  /** The router can be read, and rejects every change. */
  readonly routerRefuses: Record<Region, boolean> = { oregon: false, virginia: false };
  readonly acls: Record<Region, AclView> = {
    oregon: { kind: 'serve' },
    virginia: { kind: 'fence', activeRegion: 'oregon' },
  };
  edge: Region = 'oregon';
  edgeReachable = true;
  /** Overrides the witness. Undefined: the witness reports the real state. */
  witnessReading: Fact['reading'] | undefined = undefined;
  storeReachable = true;
  #nextId = 1;

  /** Advances time: servers renew, followers receive and replay. */
  pass(durationMs: number): void {
    // A long duration takes few steps, because no test observes the time between.
    const stepMs = Math.max(STEP_MS, durationMs / 100);
    for (let left = durationMs; left > 0; left -= stepMs) {
      this.nowMs += Math.min(left, stepMs);
      this.advanceServers();
    }
  }

  kill(region: Region): void {
    this.apps[region] = 'down';
    this.databases[region].alive = false;
    this.routerReachable[region] = false;
    this.advanceServers();
  }

  revive(region: Region): void {
    this.apps[region] = 'up';
    this.databases[region].alive = true;
    this.routerReachable[region] = true;
  }

  /**
   * Whether this region grants at this moment, by the invariant of one authority. Includes the opened epoch in the
   * database.
   */
  grants(region: Region): boolean {
    const { epoch, opensAtMs } = this.authority;
    const at = this.databases[region];
    if (this.authority.region !== region || opensAtMs === undefined || opensAtMs > this.nowMs) return false;
    if (this.apps[region] !== 'up' || !at.alive || at.role !== 'primary' || at.closedEpochs.has(epoch)) return false;
    return at.newestEpoch <= epoch;
  }

  /** The automatic work of servers and followers. */
  advanceServers(): void {
    for (const region of ['oregon', 'virginia'] as const) {
      const at = this.databases[region];
      if (at.role === 'building') Object.assign(at, { role: 'follower', alive: true });
      if (at.role === 'follower') follow(at, this.databases[otherRegion(region)]);
      if (!this.grants(region)) continue;
      at.newestEpoch = Math.max(at.newestEpoch, this.authority.epoch);
      at.lsn += 10;
      this.authority = { ...this.authority, renewedAtMs: this.nowMs, renewedBy: `${region}/app-1` };
    }
  }

  /** Runs one cycle of a controller in this world. A test can intercept its port calls through `wrap`. */
  cycle(wrap: (ports: Ports) => Ports = (ports) => ports, controller = 'controller'): Promise<CycleOutcome> {
    return runCycle(wrap(this.ports()), { controller, policy: POLICY });
  }

  /** Runs cycles at the controller's interval until `done` holds. Throws after `cyclesMax` cycles. */
  async cycleUntil(
    done: () => boolean,
    { wrap, cyclesMax = 400 }: { wrap?: (ports: Ports) => Ports; cyclesMax?: number } = {},
  ) {
    for (let cycles = 0; !done(); cycles += 1) {
      if (cycles >= cyclesMax)
        throw new Error(`not done after ${cycles} cycles: ${JSON.stringify(this.record.operation)}`);
      await this.cycle(wrap);
      this.pass(this.record.operation === undefined ? POLICY.sampleEveryMs : STEP_MS);
    }
  }

  count(what: string): number {
    return this.effects.filter((effect) => effect.what === what).length;
  }

  ports(): Ports {
    return {
      apps: {
        probe: async (region) => ({ reading: this.apps[region], reason: `the application is ${this.apps[region]}` }),
      },
      databases: {
        view: async (region) => this.#viewOf(region),
        promote: async (region, epochAtMost) => this.#promote(region, epochAtMost),
        verifyWrite: async (region) => {
          const { alive, role } = this.databases[region];
          const ok = alive && role === 'primary';
          return { reading: ok ? 'up' : 'down', reason: ok ? 'a write was accepted' : 'refused' };
        },
        closeEpoch: async (region, epoch) => {
          if (!this.databases[region].alive) throw failure('the database is down');
          this.databases[region].closedEpochs.add(epoch);
          this.#effect('close_epoch', `${region} ${epoch}`);
        },
      },
      witness: {
        view: async (region) => {
          const reading = this.witnessReading ?? this.apps[region];
          return { reading, reason: `the witness reports ${reading}` };
        },
      },
      routers: {
        acl: async (region) =>
          this.routerReachable[region] ? this.acls[region] : { kind: 'unreachable', reason: 'no answer' },
        fence: async (region, activeRegion) => this.#setAcl(region, { kind: 'fence', activeRegion }),
        serve: async (region) => this.#setAcl(region, { kind: 'serve' }),
      },
      edge: {
        target: async () =>
          this.edgeReachable ? { kind: 'points_to', region: this.edge } : { kind: 'unreachable', reason: 'no answer' },
        pointTo: async (region) => {
          this.edge = region;
          this.#effect('point_edge', region);
        },
        outside: async () => {
          const region = this.edge;
          if (this.acls[region].kind === 'fence' || !this.routerReachable[region]) {
            return { kind: 'not_granting', reason: 'fenced or gone' };
          }
          this.advanceServers();
          return this.grants(region)
            ? { kind: 'granting', region, epoch: this.authority.epoch }
            : { kind: 'not_granting', reason: 'not granting' };
        },
      },
      databaseService: {
        view: async (region) => this.#serviceView(region),
        archive: async (region) => this.#order(region, 'archived'),
        follow: async (region) => this.#order(region, 'building'),
      },
      authority: {
        read: async () => {
          if (!this.storeReachable) throw failure('the store is down');
          return { ...this.authority, readAtMs: this.nowMs };
        },
        latch: async ({ fromEpoch, region, operationId }) => {
          if (this.authority.epoch !== fromEpoch) return 'conflict';
          const latched = { epoch: fromEpoch + 1, region, operationId, latchedAtMs: this.nowMs, opensAtMs: undefined };
          this.authority = { ...this.authority, ...latched };
          this.#effect('latch', `${region} ${fromEpoch + 1}`);
          return 'written';
        },
        open: async ({ epoch, operationId, lapsedAtMs }) => {
          const { authority } = this;
          if (authority.epoch !== epoch || authority.operationId !== operationId || authority.opensAtMs !== undefined) {
            return 'conflict';
          }
          this.authority = { ...authority, opensAtMs: Math.max(this.nowMs, lapsedAtMs) };
          this.#effect('open', `${epoch}`);
          return 'written';
        },
      },
      control: {
        read: async () => {
          if (!this.storeReachable) throw failure('the store is down');
          // Copies the record, as a network transfer does: no two callers share an object.
          return structuredClone({ version: this.version, record: this.record });
        },
        write: async ({ version, record, history }) => {
          if (!this.storeReachable) throw failure('the store is down');
          if (version !== this.version) return 'conflict';
          this.version += 1;
          this.record = fromStored<ControlRecord>(JSON.parse(toStoredJson(record)));
          this.history.push(...history);
          return 'written';
        },
        history: async (limit) =>
          this.history.slice(-limit).map((entry, id) => ({ ...entry, id, atMs: this.nowMs }) as RecordedEntry),
      },
      alerts: { send: async (alert) => void this.alerts.push(alert) },
      clock: {
        nowMs: () => this.nowMs,
        newId: () => {
          this.#nextId += 1;
          return `id-${this.#nextId}`;
        },
      },
    };
  }

  #viewOf(region: Region): DatabaseView {
    const at = this.databases[region];
    if (this.databaseLink[region] === 'our-fault') return { kind: 'unknown', reason: 'our password is wrong' };
    if (!at.alive || this.databaseLink[region] === 'cut' || at.role === 'archived') {
      return { kind: 'unreachable', reason: 'connection refused' };
    }
    const newest = at.newestEpoch;
    const epoch = newest === 0 ? undefined : { epoch: newest, region: 'oregon', closed: at.closedEpochs.has(newest) };
    if (at.role === 'primary') return { kind: 'primary', serverNowMs: this.nowMs, flushedLsn: lsn(at.lsn), epoch };
    return {
      kind: 'follower',
      serverNowMs: this.nowMs,
      receivedLsn: lsn(at.receivedLsn),
      replayedLsn: lsn(at.lsn),
      replayPaused: at.replayPaused,
      lastCommitAtMs: this.nowMs,
      receiver: at.streaming ? { status: 'streaming', lastMessageAtMs: this.nowMs } : undefined,
      epoch,
    };
  }

  #promote(region: Region, epochAtMost: number): void {
    const at = this.databases[region];
    if (!at.alive) throw failure('the follower is down');
    if (at.role !== 'follower' || at.newestEpoch > epochAtMost) return;
    at.role = 'primary';
    at.streaming = false;
    at.promotions += 1;
    this.#effect('promote', region);
  }

  #setAcl(region: Region, acl: AclView): void {
    if (!this.routerReachable[region]) throw failure('the router is down');
    if (this.routerRefuses[region]) throw failure('the router rejects the change');
    this.acls[region] = acl;
    this.#effect(acl.kind, region);
  }

  #serviceView(region: Region): DatabaseServiceView {
    const { role } = this.databases[region];
    if (role === 'failed') return { kind: 'failed', reason: 'the copy was interrupted' };
    if (role === 'primary') return { kind: 'running' };
    return { kind: role === 'follower' ? 'following' : role };
  }

  #order(region: Region, role: 'archived' | 'building'): void {
    const at = this.databases[region];
    if (role === 'building' && at.role !== 'archived' && at.role !== 'failed') return;
    Object.assign(at, database('follower'), { role, alive: true, newestEpoch: 0, promotions: at.promotions });
    this.#effect(role, region);
  }

  #effect(what: string, detail: string): void {
    this.effects.push({ what, detail, atMs: this.nowMs });
  }
}

function follow(follower: MemoryDatabase, source: MemoryDatabase): void {
  follower.streaming = follower.alive && follower.linked && source.alive && source.role === 'primary';
  if (follower.streaming) {
    follower.receivedLsn = source.lsn;
    follower.newestEpoch = source.newestEpoch;
    follower.closedEpochs = new Set(source.closedEpochs);
  }
  if (follower.alive && !follower.replayPaused) follower.lsn = follower.receivedLsn;
}

export function lsn(position: number): string {
  return `0/${position.toString(16).toUpperCase()}`;
}

function failure(message: string): OperatingError {
  return new OperatingError({ code: 'test', message, retryable: true });
}

function database(role: 'primary' | 'follower'): MemoryDatabase {
  return {
    alive: true,
    role,
    lsn: 1_000,
    receivedLsn: 1_000,
    streaming: role === 'follower',
    linked: true,
    replayPaused: false,
    closedEpochs: new Set(),
    newestEpoch: 1,
    promotions: 0,
  };
}
