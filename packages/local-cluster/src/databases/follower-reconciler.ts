import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { EmitSupervisorEvent } from './events';
import { decideFollower, type FollowerRule, type FollowingFact } from './follower-rules';
import type { ManagedInstance } from './managed-instance';
import { isAhead, isReachable, readSwitches, type Source, type Switches } from './replication-source';
import type { FollowerName, StateFile } from './state-file';
import type { SupervisorTimeouts } from './timeouts';

/** A follower that keeps failing is left alone after so many attempts. */
const ATTEMPTS_MAX = 3;
const RETRY_AFTER_MS = 2_000;

export interface FollowerReconcilerOptions {
  readonly instance: ManagedInstance;
  readonly record: StateFile;
  readonly timeouts: SupervisorTimeouts;
  readonly announce: EmitSupervisorEvent;
}

/** Takes care of one instance that is to follow another: launches it and builds it anew, as the rules say. */
export class FollowerReconciler {
  readonly #instance: ManagedInstance;
  readonly #options: FollowerReconcilerOptions;
  /** Since when it has not streamed although its source is up. */
  #brokenSince: number | undefined;
  /** The way to the source was open when it was last found lost. */
  #wasReachable = false;
  #attempts = 0;
  #notBefore = 0;
  #switches: { readonly timeline: number; readonly points: Switches } | undefined;
  #lastRule: FollowerRule | undefined;

  constructor(options: FollowerReconcilerOptions) {
    this.#instance = options.instance;
    this.#options = options;
  }

  /** Why the last step did what it did: for people who ask why an instance does not start. */
  get why(): string {
    return this.#lastRule?.why ?? 'nothing has been decided yet';
  }

  /** Somebody asks for it: earlier failures are forgiven. */
  resetBackoff(): void {
    this.#attempts = 0;
    this.#notBefore = 0;
  }

  /** One look, one action. Resolves to whether something was done. */
  async step(source: Source): Promise<boolean> {
    const instance = this.#instance;
    const { record } = this.#options;
    const name = instance.name as FollowerName;
    // Files that are not there (a rebuild was cut short between two renames) cannot go on either.
    const isUseless = instance.hasFailed || !instance.postgres.isInitialised;
    if (isUseless && record.current.lineages[name] === 'current') record.writeLineage(name, 'stale');
    const primary = source.primary();
    const following = await this.#following(primary);
    const rule = decideFollower({
      isRunning: instance.postgres.isRunning,
      isWanted: instance.isWanted,
      lineage: record.current.lineages[name],
      isSourceUp: primary?.isWritable === true,
      following,
    });
    this.#lastRule = rule;
    if (rule.action === 'none') {
      if (instance.isStreaming) this.#attempts = 0;
      return false;
    }
    if (following === 'lost' && rule.action === 'rebuild' && !(await this.#isSettledWay(source))) return false;
    return this.#attempt(rule, source);
  }

  async #attempt(rule: FollowerRule, source: Source): Promise<boolean> {
    if (performance.now() < this.#notBefore) return false;
    this.#attempts += 1;
    this.#notBefore = performance.now() + RETRY_AFTER_MS;
    try {
      if (rule.action === 'launch') await this.#launch(source);
      else await this.#rebuild(rule, source);
      return true;
    } catch (error) {
      this.#failed(error as Error);
      return false;
    }
  }

  #failed(error: Error): void {
    const { announce } = this.#options;
    const { name } = this.#instance;
    if (this.#attempts < ATTEMPTS_MAX) {
      announce({ source: name, level: 'warning', text: `${name}: ${error.message}` });
      return;
    }
    this.#instance.isWanted = false;
    const text = `${name} is left alone after ${this.#attempts} failures: ${error.message}`;
    announce({ source: name, level: 'alarm', text });
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
    if (this.#switches?.timeline !== sourceTimeline) {
      try {
        this.#switches = { timeline: sourceTimeline, points: await readSwitches(primary, sourceTimeline) };
      } catch {
        return false;
      }
    }
    return isAhead({ timeline, lsn }, this.#switches.points);
  }

  /** A cut link is waited for; after its repair a follower gets the time to reconnect by itself. */
  async #isSettledWay(source: Source): Promise<boolean> {
    const isOpen = await isReachable(source);
    const isSettled = isOpen && this.#wasReachable;
    this.#wasReachable = isOpen;
    if (!isSettled) this.#brokenSince = undefined;
    return isSettled;
  }

  async #launch(source: Source): Promise<void> {
    this.#instance.following = source.following;
    await this.#instance.launch();
  }

  async #rebuild(rule: FollowerRule, source: Source): Promise<void> {
    const instance = this.#instance;
    const { announce, record } = this.#options;
    const name = instance.name as FollowerName;
    if (!(await isReachable(source))) throw new Error(`cannot be built anew: the way to its source is closed`);
    announce({ source: name, level: 'info', text: `${name} is built anew. ${rule.why}` });
    const outcome = await instance.rebuild(source.connection, () => this.#mayReplace(source));
    if (outcome === 'given_up') return;
    record.writeLineage(name, 'current');
    this.#brokenSince = undefined;
    await this.#launch(source);
    announce({ source: name, level: 'good', text: `${name} has a new copy and follows.` });
  }

  /** Asked at the last moment: what has been promoted meanwhile, or is all that is left, is not thrown away. */
  #mayReplace(source: Source): boolean {
    const instance = this.#instance;
    const isPromoted = instance.isWritable || !existsSync(join(instance.postgres.directory, 'standby.signal'));
    const isStale = this.#options.record.current.lineages[instance.name as FollowerName] === 'stale';
    return instance.isWanted && source.primary()?.isWritable === true && (isStale || !isPromoted);
  }
}
