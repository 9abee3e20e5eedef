import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Announce } from './events';
import { decideFollower, type FollowerRule, type FollowingFact } from './follower-rules';
import type { Member } from './managed-instance';
import { isAhead, isReachable, readSwitches, type Source, type Switches } from './replication-source';
import type { FollowerName, RecordFile } from './state-file';
import type { SupervisorDurations } from './timeouts';

/** A follower that keeps failing is left alone after so many attempts. */
const ATTEMPTS_MAX = 3;
const RETRY_AFTER_MS = 2_000;

export interface TenderOptions {
  readonly member: Member;
  readonly record: RecordFile;
  readonly durations: SupervisorDurations;
  readonly announce: Announce;
}

/** Takes care of one instance that is to follow another: launches it and builds it anew, as the rules say. */
export class FollowerTender {
  readonly #member: Member;
  readonly #options: TenderOptions;
  /** Since when it has not streamed although its source is up. */
  #brokenSince: number | undefined;
  /** The way to the source was open when it was last found lost. */
  #wasReachable = false;
  #attempts = 0;
  #notBefore = 0;
  #switches: { readonly timeline: number; readonly points: Switches } | undefined;
  #lastRule: FollowerRule | undefined;

  constructor(options: TenderOptions) {
    this.#member = options.member;
    this.#options = options;
  }

  /** Why the last step did what it did: for people who ask why an instance does not start. */
  get why(): string {
    return this.#lastRule?.why ?? 'nothing has been decided yet';
  }

  /** Somebody asks for it: earlier failures are forgiven. */
  forgive(): void {
    this.#attempts = 0;
    this.#notBefore = 0;
  }

  /** One look, one action. Resolves to whether something was done. */
  async step(source: Source): Promise<boolean> {
    const member = this.#member;
    const { record } = this.#options;
    const name = member.name as FollowerName;
    // Files that are not there (a rebuild was cut short between two renames) cannot go on either.
    const isUseless = member.hasFailed || !member.instance.isInitialised;
    if (isUseless && record.current.lineages[name] === 'current') record.writeLineage(name, 'stale');
    const primary = source.primary();
    const following = await this.#following(primary);
    const rule = decideFollower({
      isRunning: member.instance.isRunning,
      isWanted: member.isWanted,
      lineage: record.current.lineages[name],
      isSourceUp: primary?.isWritable === true,
      following,
    });
    this.#lastRule = rule;
    if (rule.action === 'none') {
      if (member.isStreaming) this.#attempts = 0;
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
    const { name } = this.#member;
    if (this.#attempts < ATTEMPTS_MAX) {
      announce({ source: name, level: 'warning', text: `${name}: ${error.message}` });
      return;
    }
    this.#member.isWanted = false;
    const text = `${name} is left alone after ${this.#attempts} failures: ${error.message}`;
    announce({ source: name, level: 'alarm', text });
  }

  async #following(primary: Member | undefined): Promise<FollowingFact> {
    const member = this.#member;
    if (member.isStreaming || !member.instance.isRunning || primary?.isWritable !== true) {
      this.#brokenSince = undefined;
      if (member.isStreaming) this.#wasReachable = false;
      return member.isStreaming ? 'streaming' : 'interrupted';
    }
    this.#brokenSince ??= performance.now();
    if (await this.#isAhead(primary)) return 'ahead';
    const brokenMs = performance.now() - this.#brokenSince;
    return brokenMs > this.#options.durations.rebuildAfterMs ? 'lost' : 'interrupted';
  }

  async #isAhead(primary: Member): Promise<boolean> {
    const lsn = this.#member.watch.latest?.lsn;
    const timeline = this.#member.lastTimeline;
    const sourceTimeline = primary.watch.latest?.timeline;
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
    this.#member.following = source.following;
    await this.#member.launch();
  }

  async #rebuild(rule: FollowerRule, source: Source): Promise<void> {
    const member = this.#member;
    const { announce, record } = this.#options;
    const name = member.name as FollowerName;
    if (!(await isReachable(source))) throw new Error(`cannot be built anew: the way to its source is closed`);
    announce({ source: name, level: 'info', text: `${name} is built anew. ${rule.why}` });
    const outcome = await member.rebuild(source.connection, () => this.#mayReplace(source));
    if (outcome === 'given-up') return;
    record.writeLineage(name, 'current');
    this.#brokenSince = undefined;
    await this.#launch(source);
    announce({ source: name, level: 'good', text: `${name} has a new copy and follows.` });
  }

  /** Asked at the last moment: what has been promoted meanwhile, or is all that is left, is not thrown away. */
  #mayReplace(source: Source): boolean {
    const member = this.#member;
    const isPromoted = member.isWritable || !existsSync(join(member.instance.directory, 'standby.signal'));
    const isStale = this.#options.record.current.lineages[member.name as FollowerName] === 'stale';
    return member.isWanted && source.primary()?.isWritable === true && (isStale || !isPromoted);
  }
}
