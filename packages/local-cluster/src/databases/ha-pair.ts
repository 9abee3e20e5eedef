import { lsnBytes } from '@evergrant/core/lsn';
import type { EmitSupervisorEvent } from './events';
import {
  decideHaPair,
  type HaPairAction,
  type HaPairFacts,
  type HaPairRule,
  type PrimaryFact,
  type StandbyFact,
  type StreamFact,
} from './ha-pair-rules';
import type { ManagedInstance } from './managed-instance';
import type { HaPairMemberName, SupervisorStateFile } from './state-file';
import type { SupervisorTimeouts } from './timeouts';

export const STANDBY_NAME = 'oregon_standby';

/** A standby that lacks at most this much is close enough for commits to wait for it. */
const CLOSE_BYTES = 1024n * 1024n;
/** A standby whose connection breaks usually reconnects within this time. */
const RECONNECT_TOLERATED_MS = 500;
/** When both instances die together, the second exit event arrives within this time. */
const SIMULTANEOUS_EXIT_MS = 25;
const STEP_LIMIT_MS = 2_000;

export interface HaPairOptions {
  readonly instances: Readonly<Record<HaPairMemberName, ManagedInstance>>;
  readonly state: SupervisorStateFile;
  readonly timeouts: SupervisorTimeouts;
  readonly emit: EmitSupervisorEvent;
  /** Closes the endpoint before the primary database is replaced. */
  readonly closeEndpoint: () => void;
}

/** Oregon's primary database and its synchronous standby: gathers facts, decides by the rules, takes one step. */
export class HaPair {
  readonly #options: HaPairOptions;
  /** WAL position up to which commits did not wait for the standby. */
  #proofLsn: bigint | undefined;
  #unconnectedSince: number | undefined;
  #reply: { readonly time: string | null; readonly at: number } | undefined;
  #lastRule: HaPairRule | undefined;

  constructor(options: HaPairOptions) {
    this.#options = options;
  }

  get primary(): ManagedInstance {
    return this.#options.instances[this.#options.state.current.primary];
  }

  get standby(): ManagedInstance {
    return this.#options.instances[this.standbyName];
  }

  get standbyName(): HaPairMemberName {
    return this.#options.state.current.primary === 'oregon/db-a' ? 'oregon/db-b' : 'oregon/db-a';
  }

  get why(): string {
    return this.#lastRule?.why ?? 'no decision yet';
  }

  /** Decides once and takes at most one action. Resolves to whether it took one. */
  async step(): Promise<boolean> {
    this.primary.reapplySynchronousStandby();
    const rule = decideHaPair(this.#facts());
    this.#lastRule = rule;
    if (rule.action === 'none') return false;
    await this.#execute(rule.action);
    return true;
  }

  #facts(): HaPairFacts {
    return {
      primary: this.#primaryFact(),
      standby: this.#standbyFact(),
      stream: this.#streamFact(),
      isEligible: this.#options.state.current.isStandbyEligible,
      isRequired: this.primary.synchronousStandby !== '',
      isPrimaryWanted: this.primary.isWanted,
    };
  }

  #primaryFact(): PrimaryFact {
    const { postgres, health } = this.primary;
    if (!postgres.isRunning) return 'exited';
    if (health.silentMs > this.#options.timeouts.hangAfterMs) return 'hung';
    if (health.latest === undefined) return 'silent';
    return health.latest.inRecovery ? 'in_recovery' : 'writable';
  }

  #standbyFact(): StandbyFact {
    const { postgres, health } = this.standby;
    const { hangAfterMs } = this.#options.timeouts;
    if (!postgres.isRunning) return 'exited';
    if (health.latest === undefined || health.silentMs > hangAfterMs / 2) return 'silent';
    if (!health.latest.inRecovery) return 'writable';
    return health.steadyMs >= hangAfterMs ? 'following_steady' : 'following';
  }

  #streamFact(): StreamFact {
    const answer = this.primary.health.latest;
    const sender = answer?.senders.find(({ name }) => name === STANDBY_NAME);
    const now = performance.now();
    if (answer === undefined || sender === undefined) {
      this.#reply = undefined;
      this.#unconnectedSince ??= now;
      return now - this.#unconnectedSince > RECONNECT_TOLERATED_MS ? 'none' : 'behind';
    }
    this.#unconnectedSince = undefined;
    if (this.#reply?.time !== sender.replyTime) this.#reply = { time: sender.replyTime, at: now };
    // The standby's silence cannot be measured while the primary database does not answer.
    const unobservedMs = this.primary.health.silentMs;
    if (now - this.#reply.at - unobservedMs > this.#options.timeouts.standbySilentAfterMs) return 'silent';
    if (sender.state !== 'streaming' || sender.flushLsn === null || answer.lsn === null) return 'behind';
    const flushed = lsnBytes(sender.flushLsn);
    if (this.#proofLsn !== undefined && sender.sync === 'sync' && flushed >= this.#proofLsn) return 'proven';
    return lsnBytes(answer.lsn) - flushed <= CLOSE_BYTES ? 'close' : 'behind';
  }

  async #execute(action: Exclude<HaPairAction, 'none'>): Promise<void> {
    switch (action) {
      case 'take_over':
        return this.#takeOver();
      case 'promote':
        return this.#promote();
      case 'launch_primary':
        return this.#launchPrimary();
      case 'release_standby':
        return this.#release();
      case 'require_standby':
        return this.#require();
      case 'record_eligible':
        this.#options.state.write({ isStandbyEligible: true });
        return this.#emit('good', `${this.standby.name} is in sync: commits wait for it.`);
    }
  }

  async #takeOver(): Promise<void> {
    const { state, closeEndpoint } = this.#options;
    const [old, successor] = [this.primary, this.standby];
    const oldName = state.current.primary;
    const cause = old.postgres.isRunning ? 'hangs' : 'is dead';
    // Last check before the point of no return: the successor must answer and still be a follower.
    const [answer] = await successor.postgres.query<{ inRecovery: boolean }>(
      'select pg_is_in_recovery() as "inRecovery"',
      [],
      { connectionTimeoutMillis: STEP_LIMIT_MS, query_timeout: STEP_LIMIT_MS },
    );
    if (answer?.inRecovery !== true) throw new Error(`${successor.name} is not a follower and cannot take over`);
    closeEndpoint();
    await old.postgres.kill();
    state.write({
      primary: this.standbyName,
      isStandbyEligible: false,
      lineages: { ...state.current.lineages, [oldName]: 'stale' },
    });
    this.#resetProof();
    this.#emit(
      'warning',
      `${old.name} ${cause}: ${successor.name} has every commit and takes over behind the same endpoint.`,
    );
  }

  async #promote(): Promise<void> {
    const { primary } = this;
    primary.setSynchronousStandby('');
    await primary.postgres.query('select pg_promote(true, 10)', [], { query_timeout: 12_000 });
    await primary.health.checkNow();
    if (primary.isWritable) this.#emit('good', `${primary.name} is now Oregon's primary database.`);
  }

  async #launchPrimary(): Promise<void> {
    const { primary } = this;
    // Crash recovery also shows commits that were never acknowledged. The standby may not have them.
    this.#options.state.write({ isStandbyEligible: false });
    primary.following = undefined;
    this.#resetProof();
    await primary.launch();
  }

  async #release(): Promise<void> {
    // When both die together, the exit events arrive in any order. A dead primary acknowledged nothing without it.
    await new Promise((resume) => setTimeout(resume, SIMULTANEOUS_EXIT_MS));
    if (!this.primary.postgres.isRunning) return;
    this.#options.state.write({ isStandbyEligible: false });
    this.#resetProof();
    this.primary.setSynchronousStandby('');
    this.#emit('warning', `${this.standby.name} is gone or silent: commits no longer wait for it and are unprotected.`);
  }

  /**
   * Sets synchronous_standby_names and finds the WAL position that proves the standby complete. When a new session shows
   * the new value, the postmaster has signalled the checkpointer, which makes commits wait. A checkpoint requested then
   * starts after the checkpointer has read the value. The position flushed at that time is the proof.
   */
  async #require(): Promise<void> {
    const { primary } = this;
    const limits = { connectionTimeoutMillis: STEP_LIMIT_MS, query_timeout: STEP_LIMIT_MS };
    primary.setSynchronousStandby(STANDBY_NAME);
    try {
      const deadline = performance.now() + STEP_LIMIT_MS;
      for (let isSet = false; !isSet; ) {
        const [row] = await primary.postgres.query<{ names: string }>(
          "select current_setting('synchronous_standby_names') as names",
          [],
          limits,
        );
        isSet = row?.names === STANDBY_NAME;
        if (!isSet && performance.now() > deadline) throw new Error('the new setting was not applied in time');
        if (!isSet) await new Promise((resume) => setTimeout(resume, 10));
      }
      await primary.postgres.query('checkpoint', [], limits);
      const [row] = await primary.postgres.query<{ lsn: string }>(
        'select pg_current_wal_flush_lsn() as lsn',
        [],
        limits,
      );
      if (row !== undefined) this.#proofLsn = lsnBytes(row.lsn);
    } catch (error) {
      primary.setSynchronousStandby('');
      throw error;
    }
  }

  #resetProof(): void {
    this.#proofLsn = undefined;
    this.#reply = undefined;
    this.#unconnectedSince = undefined;
  }

  #emit(level: 'good' | 'warning', text: string): void {
    this.#options.emit({ source: 'databases', level, text });
  }
}
