/** A place in a queue, as the database has it. */
export interface PlaceView {
  readonly leaseId: string;
  readonly licenseId: string;
  readonly product: string;
  readonly feature: string;
  /** 1 comes next. */
  readonly position: number;
  readonly seats: number;
  readonly holder: string;
  readonly controlRoom: string | null;
  readonly identity: string | null;
  readonly requestedBy: string | null;
  readonly enqueuedAt: string;
  readonly expiresAt: string;
}

export interface PlaceFilter {
  readonly licenseId?: string | undefined;
  readonly product?: string | undefined;
  readonly feature?: string | undefined;
  readonly limit: number;
}

/** May reject with `DatabaseFailure`. Places are written by `LeaseStore.grant`, in the transaction that grants. */
export interface QueueStore {
  /** The queues, pool by pool, each in its order. */
  read(filter: PlaceFilter): Promise<PlaceView[]>;
}
