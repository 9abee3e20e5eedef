import type { Lease, LeaseRecordState } from '../core/lease';

/** Reads a timestamp as milliseconds of the database's clock. */
export function milliseconds(expression: string): string {
  return `floor(extract(epoch from ${expression}) * 1000)::float8`;
}

export const LEASE_COLUMNS = `l.id, l.pool_id, l.holder, l.control_room, l.identity, l.seats, l.overdraft, l.borrowed, l.seq, l.epoch, l.state, l.handover, ${milliseconds('l.expires_at')} as expires_at_ms, ${milliseconds('l.must_outlive')} as must_outlive_ms, l.ending_since is not null as ending`;

export interface LeaseRow {
  id: string;
  pool_id: number;
  holder: string;
  control_room: string | null;
  identity: string | null;
  overdraft: boolean;
  borrowed: boolean;
  seats: number;
  seq: number;
  epoch: number;
  state: LeaseRecordState;
  expires_at_ms: number;
  handover: number;
  must_outlive_ms: number | null;
  ending: boolean;
}

export function leaseOf(row: LeaseRow): Lease {
  return {
    id: row.id,
    poolId: row.pool_id,
    holder: row.holder,
    controlRoom: row.control_room ?? undefined,
    identity: row.identity ?? undefined,
    overdraft: row.overdraft,
    borrowed: row.borrowed,
    seats: row.seats,
    seq: row.seq,
    epoch: row.epoch,
    state: row.state,
    handover: row.handover,
    expiresAtMs: row.expires_at_ms,
    mustOutliveMs: row.must_outlive_ms ?? undefined,
    ...(row.ending ? { ending: true } : {}),
  };
}
