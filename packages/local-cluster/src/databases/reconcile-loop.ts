import type { Region } from '@evergrant/core/regions';
import type { TcpProxy } from '../network/tcp-proxy';
import type { EmitSupervisorEvent } from './events';
import type { FollowerReconciler } from './follower-reconciler';
import type { HaPair } from './ha-pair';
import type { ManagedInstance } from './managed-instance';
import type { SerialQueue } from './serial-queue';
import type { FollowerName, SupervisorStateFile } from './state-file';
import type { DatabaseName, Topology } from './topology';

export interface ReconcileLoopOptions {
  readonly state: SupervisorStateFile;
  readonly instances: Readonly<Record<DatabaseName, ManagedInstance>>;
  readonly pair: HaPair;
  readonly reconcilers: Readonly<Record<FollowerName, FollowerReconciler>>;
  readonly endpoint: TcpProxy;
  readonly queues: Readonly<Record<Region, SerialQueue>>;
  readonly topology: Topology;
  readonly pollEveryMs: number;
  readonly emit: EmitSupervisorEvent;
}

const REPEAT_ERROR_AFTER_MS = 5_000;

/** Applies the rules of each region after every event and at every poll, until nothing is left to do. */
export class ReconcileLoop {
  readonly #options: ReconcileLoopOptions;
  #timer: NodeJS.Timeout | undefined;
  #lastError: { readonly message: string; readonly at: number } | undefined;

  constructor(options: ReconcileLoopOptions) {
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#timer !== undefined;
  }

  start(): void {
    this.#timer = setInterval(() => this.wake(), this.#options.pollEveryMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Applies the rules of each region, unless a task of that region is running. */
  wake(): void {
    this.#updateEndpoint();
    if (!this.isRunning) return;
    for (const region of ['oregon', 'virginia'] as const) {
      const queue = this.#options.queues[region];
      if (!queue.isBusy) void queue.run(() => this.#stepUntilQuiet(region)).catch((error) => this.#report(error));
    }
  }

  /** Resets the failed attempts of a follower, because an operator asked for its start. */
  resetBackoff(name: FollowerName): void {
    this.#options.reconcilers[name].resetBackoff();
  }

  async #stepUntilQuiet(region: Region): Promise<void> {
    while (this.isRunning && (await this.#step(region))) this.#updateEndpoint();
  }

  async #step(region: Region): Promise<boolean> {
    const { pair, state } = this.#options;
    const { state: regionState } = state.current.regions[region];
    if (regionState === 'kept' || regionState === 'building') return false;
    if (region === 'virginia') return this.#stepFollower('virginia', 'virginia/db');
    if (regionState === 'following') return this.#stepFollower('oregon', state.current.primary);
    return (await pair.step()) || this.#reconcile(pair.standbyName);
  }

  async #stepFollower(region: Region, name: FollowerName): Promise<boolean> {
    const { state, instances } = this.#options;
    if (state.current.regions[region].state === 'following' && instances[name].isWritable) {
      this.#recordPromotion(region, name);
      return true;
    }
    return this.#reconcile(name);
  }

  #reconcile(name: FollowerName): Promise<boolean> {
    return this.#options.reconcilers[name].step(this.#options.topology.sourceOf(name));
  }

  /** The controller promoted the follower of a region: from now on it is the region's primary database. */
  #recordPromotion(region: Region, name: FollowerName): void {
    const { state, instances, pair, emit } = this.#options;
    emit({ source: name, level: 'good', text: `${name} was promoted and is now a primary database.` });
    if (region === 'virginia') {
      state.writeLineage('virginia/db', 'promoted');
    } else {
      state.write({ isStandbyEligible: false });
      state.writeLineage(pair.standbyName, 'stale');
      instances[pair.standbyName].isWanted = true;
    }
    state.writeRegion(region, 'running');
  }

  /** The endpoint leads to the primary database, or to the follower that will become it, and never elsewhere. */
  #updateEndpoint(): void {
    const { state, pair, endpoint } = this.#options;
    const { state: regionState } = state.current.regions.oregon;
    const { primary } = pair;
    const isServing = primary.isWritable || (regionState === 'following' && primary.isFollowing);
    const isOpen = (regionState === 'running' || regionState === 'following') && isServing;
    endpoint.retarget(isOpen ? primary.postgres.port : undefined);
  }

  /** Failed steps are retried at every poll. The same error is reported at most every 5 s. */
  #report(error: Error): void {
    const now = performance.now();
    if (error.message === this.#lastError?.message && now - this.#lastError.at < REPEAT_ERROR_AFTER_MS) return;
    this.#lastError = { message: error.message, at: now };
    const text = `a step failed and will be retried: ${error.message}`;
    this.#options.emit({ source: 'databases', level: 'warning', text });
  }
}
