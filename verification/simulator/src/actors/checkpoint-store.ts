import type { CheckpointStore, StoredCheckpoint } from '@evergrant/server/audit/store';
import type { Host } from '../topology/host';
import type { Network } from '../topology/network';
import type { Ohio } from './authority-store';

export type SimulatedCheckpointStore = Pick<CheckpointStore, 'newest' | 'newestBefore' | 'add'>;

/** By a server of which region. */
type OnStored = (checkpoint: StoredCheckpoint, region: string) => void;

/**
 * Checkpoints beside the authority row in Ohio. As packages/server/src/audit/dynamodb/checkpoint-store.ts, which has no transactions: who
 * holds the epoch is asked first, and each checkpoint is stored at a later moment, if its number is not taken then.
 */
export class CheckpointShelf {
  readonly #ohio: Ohio;
  readonly #network: Network;
  readonly #onStored: OnStored;
  readonly #newest = new Map<string, StoredCheckpoint>();
  readonly #newestOfEpochs = new Map<string, StoredCheckpoint>();
  #storedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: {
    readonly ohio: Ohio;
    readonly network: Network;
    readonly onStored: OnStored;
  }) {
    this.#ohio = options.ohio;
    this.#network = options.network;
    this.#onStored = options.onStored;
  }

  forServer(caller: Host): SimulatedCheckpointStore {
    return {
      newest: (chains) =>
        this.#ask(caller, () => ({
          checkpoints: chains.flatMap((chain) => this.#newest.get(chain) ?? []),
          idleMs: this.#ohio.host.wallMs() - this.#storedAtMs,
        })),
      newestBefore: (epoch) =>
        this.#ask(caller, () => [...this.#newestOfEpochs.values()].filter((checkpoint) => checkpoint.epoch < epoch)),
      add: async (checkpoints, expected) => {
        const { epoch, region } = await this.#ask(caller, () => this.#ohio.row);
        if (epoch !== expected.epoch || region !== expected.region) return 0;
        let taken = 0;
        for (const checkpoint of checkpoints)
          if (await this.#ask(caller, () => this.#put(checkpoint, region))) taken += 1;
        return taken;
      },
    };
  }

  #put(checkpoint: StoredCheckpoint, region: string): boolean {
    const { chain, epoch, number } = checkpoint;
    if ((this.#newest.get(chain)?.number ?? 0) >= number) return false;
    this.#newest.set(chain, checkpoint);
    this.#newestOfEpochs.set(`${chain} ${epoch}`, checkpoint);
    this.#storedAtMs = this.#ohio.host.wallMs();
    this.#onStored(checkpoint, region);
    return true;
  }

  #ask<T>(caller: Host, serve: () => T): Promise<T> {
    return this.#ohio.askedBy(caller, serve, this.#network);
  }
}
