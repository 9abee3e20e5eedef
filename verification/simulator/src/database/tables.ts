import type { RememberedEvent } from '@evergrant/server/audit/store';
import type { Lease } from '@evergrant/server/granting/core/lease';
import type { QueuePlace } from '@evergrant/server/queue/core/queue';

/** The rows of the product's tables that the invariants depend on. Rows are immutable and replaced on change. */
export interface PoolRow {
  readonly id: number;
  readonly seats: number;
  readonly overdraft: number;
  readonly seatsTaken: number;
  readonly seatsHeldBack: number;
  readonly seatsUnresolved: number;
  readonly seatsOver: number;
  readonly unresolvedUntilMs: number | undefined;
  readonly grantSeq: number;
  readonly ackedSeq: number;
  readonly queueSeq: number;
  readonly escrow: number;
  readonly leaseTtlMs: number;
  readonly borrowSecondsMax: number;
  readonly issue: number;
}

/** What an import sets, and the issue number of its license file. */
export type ImportedTerms = Pick<PoolRow, 'issue' | 'seats' | 'escrow' | 'leaseTtlMs'>;

/** An announced import, which is not in force yet. */
export interface PendingImportRow {
  readonly poolId: number;
  readonly terms: ImportedTerms;
}

export interface SimulatedEpochRow {
  readonly epoch: number;
  readonly region: string;
  readonly opened: boolean;
  readonly closed: boolean;
  readonly mustOutliveMs: number | undefined;
  readonly unprotected: boolean;
  readonly changes: number;
}

export interface PlaceRow extends QueuePlace {
  readonly poolId: number;
}

/** A declaration of lost events: all of `epoch` and `era` up to `seq`, as a signed checkpoint shows. */
export type Gap = Pick<RememberedEvent, 'chain' | 'epoch' | 'era' | 'seq'>;

export interface EventRow {
  readonly chain: string;
  readonly seq: number;
  readonly epoch: number;
  readonly era: number;
  readonly hash: string;
  readonly about: string;
  readonly gap?: Gap;
}

export type Write =
  | { readonly table: 'pool'; readonly row: PoolRow }
  | { readonly table: 'lease'; readonly row: Lease }
  | { readonly table: 'epoch'; readonly row: SimulatedEpochRow }
  | { readonly table: 'place'; readonly row: PlaceRow }
  | { readonly table: 'place'; readonly gone: string }
  | { readonly table: 'pending-import'; readonly row: PendingImportRow }
  | { readonly table: 'pending-import'; readonly gone: number }
  | { readonly table: 'event'; readonly row: EventRow };

/** Committed rows. */
export class Tables {
  readonly pools = new Map<number, PoolRow>();
  readonly leases = new Map<string, Lease>();
  /** The live ones of `leases`. */
  readonly live = new Map<string, Lease>();
  readonly epochs = new Map<number, SimulatedEpochRow>();
  readonly places = new Map<string, PlaceRow>();
  readonly pendingImports = new Map<number, PendingImportRow>();
  /** The chains of the audit log. */
  readonly chains = new Map<string, EventRow[]>();
  newestEpoch: SimulatedEpochRow | undefined;

  copy(): Tables {
    const copy = new Tables();
    for (const row of this.pools.values()) copy.apply({ table: 'pool', row });
    for (const row of this.leases.values()) copy.apply({ table: 'lease', row });
    for (const row of this.epochs.values()) copy.apply({ table: 'epoch', row });
    for (const row of this.places.values()) copy.apply({ table: 'place', row });
    for (const row of this.pendingImports.values()) copy.apply({ table: 'pending-import', row });
    for (const [chain, events] of this.chains) copy.chains.set(chain, [...events]);
    return copy;
  }

  apply(write: Write): void {
    switch (write.table) {
      case 'pool':
        this.pools.set(write.row.id, write.row);
        break;
      case 'lease':
        this.leases.set(write.row.id, write.row);
        if (write.row.state === 'live') this.live.set(write.row.id, write.row);
        else this.live.delete(write.row.id);
        break;
      case 'epoch':
        this.epochs.set(write.row.epoch, write.row);
        if (write.row.epoch >= (this.newestEpoch?.epoch ?? 0)) this.newestEpoch = write.row;
        break;
      case 'place':
        if ('gone' in write) this.places.delete(write.gone);
        else this.places.set(write.row.leaseId, write.row);
        break;
      case 'pending-import':
        if ('gone' in write) this.pendingImports.delete(write.gone);
        else this.pendingImports.set(write.row.poolId, write.row);
        break;
      case 'event': {
        const chain = this.chains.get(write.row.chain);
        if (chain) chain.push(write.row);
        else this.chains.set(write.row.chain, [write.row]);
        break;
      }
    }
  }

  get newestOpened(): SimulatedEpochRow | undefined {
    let newest: SimulatedEpochRow | undefined;
    for (const row of this.epochs.values()) if (row.opened && row.epoch > (newest?.epoch ?? 0)) newest = row;
    return newest;
  }
}

/** A write that a database constraint refused. */
export class ConstraintViolation extends Error {}

/** An open transaction, which reads committed rows and its own writes. */
export class SimulatedTransaction {
  readonly writes: Write[] = [];
  readonly #tables: Tables;
  readonly #enforcesConstraint: boolean;
  readonly #pools = new Map<number, PoolRow>();
  readonly #leases = new Map<string, Lease>();

  constructor(tables: Tables, { enforcesConstraint }: { enforcesConstraint: boolean }) {
    this.#tables = tables;
    this.#enforcesConstraint = enforcesConstraint;
  }

  /** Throws when there is no such pool. */
  pool(id: number): PoolRow {
    const row = this.#pools.get(id) ?? this.#tables.pools.get(id);
    if (row === undefined) throw new RangeError(`no pool ${id}`);
    return row;
  }

  lease(id: string): Lease | undefined {
    return this.#leases.get(id) ?? this.#tables.leases.get(id);
  }

  liveLeases(poolId: number): Lease[] {
    const live: Lease[] = [];
    for (const committed of this.#tables.live.values()) {
      const row = this.#leases.get(committed.id) ?? committed;
      if (row.state === 'live' && row.poolId === poolId) live.push(row);
    }
    return live;
  }

  putPool(row: PoolRow): void {
    const { seatsTaken, seatsHeldBack, seats, overdraft, seatsOver, seatsUnresolved } = row;
    if (this.#enforcesConstraint && seatsTaken + seatsHeldBack > seats + overdraft + seatsOver) {
      throw new ConstraintViolation('pool_never_oversold');
    }
    if (seatsUnresolved < seatsHeldBack || seatsTaken < 0) throw new ConstraintViolation('pool_check');
    this.#pools.set(row.id, row);
    this.writes.push({ table: 'pool', row });
  }

  /** Writes a lease and its pool's seat count, like the product's triggers. */
  putLease(row: Lease): void {
    const before = this.lease(row.id);
    this.#leases.set(row.id, row);
    this.writes.push({ table: 'lease', row });
    const delta = seatsOf(row) - (before === undefined ? 0 : seatsOf(before));
    if (delta !== 0) this.putPool(withCountChanged(this.pool(row.poolId), delta));
  }

  put(write: Write): void {
    this.writes.push(write);
  }
}

function seatsOf({ state, seats }: Lease): number {
  return state === 'live' ? seats : 0;
}

/** `pool_count_change` in packages/server/migrations. */
function withCountChanged(pool: PoolRow, delta: number): PoolRow {
  const seatsTaken = pool.seatsTaken + delta;
  if (delta > 0) return { ...pool, seatsTaken };
  const capacity = pool.seats + pool.overdraft;
  return {
    ...pool,
    seatsTaken,
    seatsOver: Math.min(pool.seatsOver, Math.max(0, seatsTaken - capacity)),
    seatsHeldBack: Math.min(pool.seatsUnresolved, Math.max(0, capacity - seatsTaken)),
  };
}
