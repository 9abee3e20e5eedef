import type { CheckpointStore, StoredCheckpoint } from '@evergrant/server/audit/store';
import type { Host } from '../topology/host';
import type { Network } from '../topology/network';
import type { SimulatedAuthorityStore } from './authority-store';

export type CheckpointPort = Pick<CheckpointStore, 'newest' | 'newestBefore' | 'add'>;

/** `region`: of the server that stored it. */
type OnStored = (checkpoint: StoredCheckpoint, region: string) => void;

/**
 * Checkpoints beside the authority row in Ohio. Like packages/server/src/audit/dynamodb/checkpoint-store.ts it has no
 * transactions: it first reads the epoch's holder, and then stores each checkpoint whose number is still free.
 */
export class SimulatedCheckpointStore {
  readonly #authorityStore: SimulatedAuthorityStore;
  readonly #network: Network;
  readonly #onStored: OnStored;
  readonly #newest = new Map<string, StoredCheckpoint>();
  readonly #newestOfEpochs = new Map<string, StoredCheckpoint>();
  #storedAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: {
    readonly authorityStore: SimulatedAuthorityStore;
    readonly network: Network;
    readonly onStored: OnStored;
  }) {
    this.#authorityStore = options.authorityStore;
    this.#network = options.network;
    this.#onStored = options.onStored;
  }

  forServer(caller: Host): CheckpointPort {
    return {
      newest: (chains) =>
        this.#ask(caller, () => ({
          checkpoints: chains.flatMap((chain) => this.#newest.get(chain) ?? []),
          idleMs: this.#authorityStore.host.wallMs() - this.#storedAtMs,
        })),
      newestBefore: (epoch) =>
        this.#ask(caller, () => [...this.#newestOfEpochs.values()].filter((checkpoint) => checkpoint.epoch < epoch)),
      add: async (checkpoints, expected) => {
        const { epoch, region } = await this.#ask(caller, () => this.#authorityStore.row);
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
    this.#storedAtMs = this.#authorityStore.host.wallMs();
    this.#onStored(checkpoint, region);
    return true;
  }

  #ask<T>(caller: Host, serve: () => T): Promise<T> {
    return this.#authorityStore.call(caller, serve, this.#network);
  }
}
