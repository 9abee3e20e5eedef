import type { BenchCase, EscrowCell } from './cases';
import { ESCROW_POOL_SIZES, ESCROW_POOLS } from './seats';

/** Round trips between zones, between Oregon and Virginia, and half around the world. */
const ROUND_TRIPS_MS = [1, 70, 200] as const;

/** The cells that the short form and a full run measure. The other cells are measured only when named. */
const IN_SHORT: EscrowCell = { seats: 1_000, escrow: 10, roundTripMs: 70 };
const IN_FULL: EscrowCell = { seats: 1_000, escrow: 100, roundTripMs: 70 };

/** Checkouts and releases whose answers wait for a far follower (S2). */
export const ESCROW_CASES: readonly BenchCase[] = ROUND_TRIPS_MS.flatMap((roundTripMs) =>
  ESCROW_POOL_SIZES.flatMap((size) =>
    ESCROW_POOLS.filter(({ seats }) => seats === size)
      // The case without waits first: it is the baseline of the others.
      .sort((left, right) => Number(neverWaits(right)) - Number(neverWaits(left)))
      .map(({ seats, escrow }) => escrowCase({ seats, escrow, roundTripMs })),
  ),
);

function escrowCase(cell: EscrowCell): BenchCase {
  const { seats, escrow, roundTripMs } = cell;
  const feature = `escrow-${escrow}-of-${seats}`;
  const pool = `pool of ${seats.toLocaleString('en')}`;
  return {
    name: nameOf(cell),
    what: neverWaits(cell)
      ? `${pool}, nobody waitShare, ${roundTripMs} ms`
      : `${pool}, escrow ${escrow.toLocaleString('en')}, ${roundTripMs} ms`,
    topology: 'far follower',
    against: neverWaits(cell) ? undefined : nameOf({ ...cell, escrow: seats }),
    needs: [feature],
    cell,
    ...measuredOf(cell),
    workload: 'pairs',
    protocol: 'http',
    request: ({ pool: filled, serverPorts, token, load }) => {
      const { product } = filled(feature);
      return { kind: 'pairs', ...load, serverPorts, token, product, feature, latenciesOf: 'checkouts' };
    },
  };
}

function measuredOf(cell: EscrowCell): Pick<BenchCase, 'measured'> {
  const isOf = (selectCases: EscrowCell): boolean =>
    cell.roundTripMs === selectCases.roundTripMs &&
    cell.seats === selectCases.seats &&
    (neverWaits(cell) || cell.escrow === selectCases.escrow);
  if (isOf(IN_SHORT)) return {};
  return { measured: isOf(IN_FULL) ? 'not in short' : 'when named' };
}

function neverWaits({ seats, escrow }: { readonly seats: number; readonly escrow: number }): boolean {
  return escrow >= seats;
}

function nameOf({ seats, escrow, roundTripMs }: EscrowCell): string {
  return `escrow-${neverWaits({ seats, escrow }) ? 'unreached' : escrow}-of-${seats}-at-${roundTripMs}ms`;
}
