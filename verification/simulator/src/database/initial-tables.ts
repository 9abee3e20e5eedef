import type { PoolShape } from '../scenario/scenario';
import { Tables } from './tables';

export const BORROW_SECONDS_MAX = 3_600;

/** The rows of a database before the first epoch: pools numbered from 1, no leases. */
export function initialTables(pools: readonly PoolShape[], leaseTtlMs: number): Tables {
  const tables = new Tables();
  pools.forEach((pool, index) => {
    tables.apply({
      table: 'pool',
      row: {
        ...pool,
        id: index + 1,
        seatsTaken: 0,
        seatsHeldBack: 0,
        seatsUnresolved: 0,
        seatsOver: 0,
        unresolvedUntilMs: undefined,
        grantSeq: 0,
        ackedSeq: 0,
        queueSeq: 0,
        leaseTtlMs,
        borrowSecondsMax: BORROW_SECONDS_MAX,
        issue: 1,
      },
    });
  });
  return tables;
}
