import type { BenchCase, EscrowCell } from './cases';
import { ESCROW_POOL_SIZES, ESCROW_POOLS } from './seats';

/** Between zones of a city, between Oregon and Virginia, half around the world. */
const ROUND_TRIPS_MS = [1, 70, 200] as const;

/** What every run measures, the short form too, and the rest of what an unnamed run does; the grid is measured by name. */
const IN_SHORT: EscrowCell = { seats: 1_000, escrow: 10, roundTripMs: 70 };
const IN_FULL: EscrowCell = { seats: 1_000, escrow: 100, roundTripMs: 70 };

/** Checkouts and releases in a pool whose answers wait for a follower that is so far away (S2). */
export const ESCROW_CASES: readonly BenchCase[] = ROUND_TRIPS_MS.flatMap((roundTripMs) =>
  ESCROW_POOL_SIZES.flatMap((size) =>
    ESCROW_POOLS.filter(({ seats }) => seats === size)
      // The one in which nobody waits first: the others are measured against it.
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
      ? `${pool}, nobody waits, ${roundTripMs} ms`
      : `${pool}, escrow ${escrow.toLocaleString('en')}, ${roundTripMs} ms`,
    stand: 'far follower',
    against: neverWaits(cell) ? undefined : nameOf({ ...cell, escrow: seats }),
    needs: [feature],
    cell,
    ...measuredOf(cell),
    verb: 'pairs',
    way: 'http',
    order: ({ pool: filled, serverPorts, token, load }) => {
      const { product } = filled(feature);
      return { kind: 'pairs', ...load, serverPorts, token, product, feature, latenciesOf: 'checkouts' };
    },
  };
}

function measuredOf(cell: EscrowCell): Pick<BenchCase, 'measured'> {
  const isOf = (wanted: EscrowCell): boolean =>
    cell.roundTripMs === wanted.roundTripMs &&
    cell.seats === wanted.seats &&
    (neverWaits(cell) || cell.escrow === wanted.escrow);
  if (isOf(IN_SHORT)) return {};
  return { measured: isOf(IN_FULL) ? 'not in short' : 'when named' };
}

function neverWaits({ seats, escrow }: { readonly seats: number; readonly escrow: number }): boolean {
  return escrow >= seats;
}

function nameOf({ seats, escrow, roundTripMs }: EscrowCell): string {
  return `escrow-${neverWaits({ seats, escrow }) ? 'unreached' : escrow}-of-${seats}-at-${roundTripMs}ms`;
}
