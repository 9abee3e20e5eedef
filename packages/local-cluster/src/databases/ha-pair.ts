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
import type { HaPairMemberName, StateFile } from './state-file';
import type { SupervisorTimeouts } from './timeouts';

export const STANDBY_NAME = 'oregon_standby';

/** So little is missing that a commit may wait for it. */
const CLOSE_BYTES = 1024n * 1024n;
/** A standby whose connection broke usually reconnects at once. */
const RECONNECT_TOLERATED_MS = 500;
const BOTH_DIE_TOGETHER_MS = 25;
const STEP_LIMIT_MS = 2_000;

export interface HaPairOptions {
  readonly instances: Readonly<Record<HaPairMemberName, ManagedInstance>>;
  readonly record: StateFile;
  readonly timeouts: SupervisorTimeouts;
  readonly announce: EmitSupervisorEvent;
  /** Takes the endpoint away from the primary database that is being replaced. */
  readonly closeEndpoint: () => void;
}

/** Oregon's primary database and its synchronous standby: gathers the facts, and does what the rules say. */
export class Pair {
  readonly #options: HaPairOptions;
  /** Everything up to here was committed before commits waited for the standby. */
  #proofLsn: bigint | undefined;
  #unconnectedSince: number | undefined;
  #reply: { readonly time: string | null; readonly at: number } | undefined;
  #lastRule: HaPairRule | undefined;

  constructor(options: HaPairOptions) {
    this.#options = options;
  }

  get primary(): ManagedInstance {
    return this.#options.instances[this.#options.record.current.primary];
  }

  get standby(): ManagedInstance {
    return this.#options.instances[this.standbyName];
  }

  get standbyName(): HaPairMemberName {
    return this.#options.record.current.primary === 'oregon/db-a' ? 'oregon/db-b' : 'oregon/db-a';
  }

  get why(): string {
    return this.#lastRule?.why ?? 'nothing has been decided yet';
  }

  /** One look, one action. Resolves to whether something was done. */
  async step(): Promise<boolean> {
    this.primary.insistOnSynchronousStandby();
    const rule = decideHaPair(this.#facts());
    this.#lastRule = rule;
    if (rule.action === 'none') return false;
    await this.#act(rule.action);
    return true;
  }

  #facts(): HaPairFacts {
    return {
      primary: this.#primaryFact(),
      standby: this.#standbyFact(),
      stream: this.#streamFact(),
      isEligible: this.#options.record.current.isStandbyEligible,
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
    // While the primary database says nothing new, its standby's silence cannot be measured.
    const unseenMs = this.primary.health.silentMs;
    if (now - this.#reply.at - unseenMs > this.#options.timeouts.standbySilentAfterMs) return 'silent';
    if (sender.state !== 'streaming' || sender.flushLsn === null || answer.lsn === null) return 'behind';
    const flushed = lsnBytes(sender.flushLsn);
    if (this.#proofLsn !== undefined && sender.sync === 'sync' && flushed >= this.#proofLsn) return 'proven';
    return lsnBytes(answer.lsn) - flushed <= CLOSE_BYTES ? 'close' : 'behind';
  }

  async #act(action: Exclude<HaPairAction, 'none'>): Promise<void> {
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
        this.#options.record.write({ isStandbyEligible: true });
        return this.#say('good', `${this.standby.name} is in sync: every commit from now on is in both.`);
    }
  }

  async #takeOver(): Promise<void> {
    const { record, closeEndpoint } = this.#options;
    const [old, heir] = [this.primary, this.standby];
    const oldName = record.current.primary;
    const was = old.postgres.isRunning ? 'hangs' : 'is dead';
    // The last moment to turn back: the heir itself has to say that it is there and still a follower.
    const [said] = await heir.postgres.query<{ inRecovery: boolean }>(
      'select pg_is_in_recovery() as "inRecovery"',
      [],
      { connectionTimeoutMillis: STEP_LIMIT_MS, query_timeout: STEP_LIMIT_MS },
    );
    if (said?.inRecovery !== true) throw new Error(`${heir.name} is no follower and cannot take over`);
    closeEndpoint();
    await old.postgres.kill();
    record.write({
      primary: this.standbyName,
      isStandbyEligible: false,
      lineages: { ...record.current.lineages, [oldName]: 'stale' },
    });
    this.#forgetProof();
    this.#say(
      'warning',
      `${old.name} ${was}: ${heir.name}, which has every commit, takes over behind the same endpoint.`,
    );
  }

  async #promote(): Promise<void> {
    const { primary } = this;
    primary.setSynchronousStandby('');
    await primary.postgres.query('select pg_promote(true, 10)', [], { query_timeout: 12_000 });
    await primary.health.look();
    if (primary.isWritable) this.#say('good', `${primary.name} is Oregon's primary database now.`);
  }

  async #launchPrimary(): Promise<void> {
    const { primary } = this;
    // It recovers what was never acknowledged, too, and lets it be seen: the standby may not have it.
    this.#options.record.write({ isStandbyEligible: false });
    primary.following = undefined;
    this.#forgetProof();
    await primary.launch();
  }

  async #release(): Promise<void> {
    // When both die together the news come in any order, and a dead primary has acknowledged nothing without it.
    await new Promise((resume) => setTimeout(resume, BOTH_DIE_TOGETHER_MS));
    if (!this.primary.postgres.isRunning) return;
    this.#options.record.write({ isStandbyEligible: false });
    this.#forgetProof();
    this.primary.setSynchronousStandby('');
    this.#say('warning', `${this.standby.name} is gone or silent: commits go on without it, unprotected.`);
  }

  /**
   * Sets synchronous_standby_names and finds the position that proves the standby complete. A session opened after
   * the postmaster has read the new value knows that the checkpointer, which makes commits wait, has been told; a
   * checkpoint asked for then begins after it has listened. What was flushed until then is the proof.
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
        if (!isSet && performance.now() > deadline) throw new Error('the new setting was not read in time');
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

  #forgetProof(): void {
    this.#proofLsn = undefined;
    this.#reply = undefined;
    this.#unconnectedSince = undefined;
  }

  #say(level: 'good' | 'warning', text: string): void {
    this.#options.announce({ source: 'databases', level, text });
  }
}
