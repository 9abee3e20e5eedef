import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { EmitSupervisorEvent } from './events';
import { decideFollower, type FollowerRule, type FollowingFact } from './follower-rules';
import type { ManagedInstance } from './managed-instance';
import {
  isAhead,
  isReachable,
  type ReplicationSource,
  readSwitchPoints,
  type SwitchPoints,
} from './replication-source';
import type { FollowerName, SupervisorStateFile } from './state-file';
import type { SupervisorTimeouts } from './timeouts';

/** After this many failed attempts the follower is no longer started. */
const ATTEMPTS_MAX = 3;
const RETRY_AFTER_MS = 2_000;

export interface FollowerReconcilerOptions {
  readonly instance: ManagedInstance;
  readonly state: SupervisorStateFile;
  readonly timeouts: SupervisorTimeouts;
  readonly emit: EmitSupervisorEvent;
}

/** Keeps one instance following its source: launches or rebuilds it as the rules decide. */
export class FollowerReconciler {
  readonly #instance: ManagedInstance;
  readonly #options: FollowerReconcilerOptions;
  /** Start of the time without streaming although the source is up. */
  #brokenSince: number | undefined;
  /** The source was reachable at the last check. */
  #wasReachable = false;
  #attempts = 0;
  #notBefore = 0;
  #history: { readonly timeline: number; readonly switchPoints: SwitchPoints } | undefined;
  #lastRule: FollowerRule | undefined;

  constructor(options: FollowerReconcilerOptions) {
    this.#instance = options.instance;
    this.#options = options;
  }

  /** The reason of the last decision. */
  get why(): string {
    return this.#lastRule?.why ?? 'no decision yet';
  }

  /** Allows attempts again after earlier failures. */
  resetBackoff(): void {
    this.#attempts = 0;
    this.#notBefore = 0;
  }

  /** Decides once and takes at most one action. Resolves to whether it took one. */
  async step(source: ReplicationSource): Promise<boolean> {
    const instance = this.#instance;
    const { state } = this.#options;
    const name = instance.name as FollowerName;
    // The files are missing when the process was killed between the two renames of a rebuild.
    const isUseless = instance.hasFailed || !instance.postgres.isInitialised;
    if (isUseless && state.current.lineages[name] === 'current') state.writeLineage(name, 'stale');
    const primary = source.primary();
    const following = await this.#following(primary);
    const rule = decideFollower({
      isRunning: instance.postgres.isRunning,
      isWanted: instance.isWanted,
      lineage: state.current.lineages[name],
      isSourceUp: primary?.isWritable === true,
      following,
    });
    this.#lastRule = rule;
    if (rule.action === 'none') {
      if (instance.isStreaming) this.#attempts = 0;
      return false;
    }
    if (following === 'lost' && rule.action === 'rebuild' && !(await this.#isStablyReachable(source))) return false;
    return this.#attempt(rule, source);
  }

  async #attempt(rule: FollowerRule, source: ReplicationSource): Promise<boolean> {
    if (performance.now() < this.#notBefore) return false;
    this.#attempts += 1;
    this.#notBefore = performance.now() + RETRY_AFTER_MS;
    try {
      if (rule.action === 'launch') await this.#launch(source);
      else await this.#rebuild(rule, source);
      return true;
    } catch (error) {
      this.#recordFailure(error as Error);
      return false;
    }
  }

  #recordFailure(error: Error): void {
    const { emit } = this.#options;
    const { name } = this.#instance;
    if (this.#attempts < ATTEMPTS_MAX) {
      emit({ source: name, level: 'warning', text: `${name}: ${error.message}` });
      return;
    }
    this.#instance.isWanted = false;
    const text = `${name} is no longer started after ${this.#attempts} failed attempts: ${error.message}`;
    emit({ source: name, level: 'alarm', text });
  }

  async #following(primary: ManagedInstance | undefined): Promise<FollowingFact> {
    const instance = this.#instance;
    if (instance.isStreaming || !instance.postgres.isRunning || primary?.isWritable !== true) {
      this.#brokenSince = undefined;
      if (instance.isStreaming) this.#wasReachable = false;
      return instance.isStreaming ? 'streaming' : 'interrupted';
    }
    this.#brokenSince ??= performance.now();
    if (await this.#isAhead(primary)) return 'ahead';
    const brokenMs = performance.now() - this.#brokenSince;
    return brokenMs > this.#options.timeouts.rebuildAfterMs ? 'lost' : 'interrupted';
  }

  async #isAhead(primary: ManagedInstance): Promise<boolean> {
    const lsn = this.#instance.health.latest?.lsn;
    const timeline = this.#instance.lastTimeline;
    const sourceTimeline = primary.health.latest?.timeline;
    if (!lsn || timeline === undefined || !sourceTimeline || sourceTimeline <= timeline) return false;
    if (this.#history?.timeline !== sourceTimeline) {
      try {
        this.#history = { timeline: sourceTimeline, switchPoints: await readSwitchPoints(primary, sourceTimeline) };
      } catch {
        return false;
      }
    }
    return isAhead({ timeline, lsn }, this.#history.switchPoints);
  }

  /** A follower behind a cut link is not rebuilt. After the repair it gets time to reconnect. */
  async #isStablyReachable(source: ReplicationSource): Promise<boolean> {
    const isReachableNow = await isReachable(source);
    const isStable = isReachableNow && this.#wasReachable;
    this.#wasReachable = isReachableNow;
    if (!isStable) this.#brokenSince = undefined;
    return isStable;
  }

  async #launch(source: ReplicationSource): Promise<void> {
    this.#instance.following = source.following;
    await this.#instance.launch();
  }

  async #rebuild(rule: FollowerRule, source: ReplicationSource): Promise<void> {
    const instance = this.#instance;
    const { emit, state } = this.#options;
    const name = instance.name as FollowerName;
    if (!(await isReachable(source))) throw new Error('cannot be rebuilt: its source is not reachable');
    emit({ source: name, level: 'info', text: `${name} is being rebuilt. ${rule.why}` });
    const outcome = await instance.rebuild(source.connection, () => this.#mayReplace(source));
    if (outcome === 'given_up') return;
    state.writeLineage(name, 'current');
    this.#brokenSince = undefined;
    await this.#launch(source);
    emit({ source: name, level: 'good', text: `${name} was rebuilt and follows.` });
  }

  /** Last check before the files are replaced: a promoted instance, or the only remaining one, is kept. */
  #mayReplace(source: ReplicationSource): boolean {
    const instance = this.#instance;
    const isPromoted = instance.isWritable || !existsSync(join(instance.postgres.directory, 'standby.signal'));
    const isStale = this.#options.state.current.lineages[instance.name as FollowerName] === 'stale';
    return instance.isWanted && source.primary()?.isWritable === true && (isStale || !isPromoted);
  }
}
