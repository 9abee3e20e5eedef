import type { Client } from 'pg';

const PRODUCT = 'Bench';
const LEASE_TTL_SECONDS = 3_600;

/** A pool of the bench, and how many of its seats are leased before anything is measured. */
export interface BenchPool {
  readonly feature: string;
  readonly seats: number;
  readonly leased: number;
  /** @default a tenth of the seats */
  readonly escrow?: number;
}

const halfLeased = (seats: number): BenchPool => ({ feature: `seats-${seats}`, seats, leased: seats / 2 });

export const POOL_SIZES = [1_000, 10_000, 100_000] as const;
export type PoolSize = (typeof POOL_SIZES)[number];

export const CONNECTIONS_MAX = 80;

/** A pool for each connection of the baseline, so that no commit waits for another one's lock. */
export const COMMIT_POOLS: readonly BenchPool[] = Array.from({ length: CONNECTIONS_MAX }, (_, index) => ({
  feature: `commits-${index + 1}`,
  seats: 1_000,
  leased: 10,
}));

const ESCROWS = [1, 10, 100, 1_000] as const;
export const ESCROW_POOL_SIZES = [1_000, 100_000] as const;

/** A pool for each escrow, and one with an escrow of all its seats: there nobody waits. */
export const ESCROW_POOLS: readonly (BenchPool & { readonly escrow: number })[] = ESCROW_POOL_SIZES.flatMap((seats) =>
  [...ESCROWS.filter((escrow) => escrow < seats), seats].map((escrow) => ({
    ...{ feature: `escrow-${escrow}-of-${seats}`, seats, escrow },
    leased: 500,
  })),
);

/** `nearly-full` has fewer free seats than there are connections. */
export const BENCH_POOLS: readonly BenchPool[] = [
  ...POOL_SIZES.map(halfLeased),
  { feature: 'nearly-full', seats: 1_000, leased: 970 },
  ...COMMIT_POOLS,
  ...ESCROW_POOLS,
];

/** The license that the bench's seats come from, as the migration command reads it. */
export const BENCH_LICENSE = {
  licenseId: 'bench',
  customer: 'Bench',
  product: PRODUCT,
  entitlements: BENCH_POOLS.map(({ feature, seats, escrow }) => ({
    ...{ feature, seats, leaseTtlSeconds: LEASE_TTL_SECONDS },
    ...(escrow === undefined ? {} : { escrow }),
  })),
};

/** A pool as it stands in the database. */
export interface FilledPool extends BenchPool {
  readonly product: string;
  readonly poolId: number;
  readonly leaseIds: readonly string[];
}

const LEASE = `
insert into lease (id, pool_id, holder, seats, seq, epoch, granted_at, expires_at)
select gen_random_uuid(), $1, 'bench-' || number, 1, number, 1, clock_timestamp(), clock_timestamp() + $3 * interval '1 s'
from generate_series(1, $2::int) number
returning id`;

/** Leases what is to be leased of the pools that are needed, past the server, and leaves the tables as an autovacuum would. */
export async function fillPools(owner: Client, needed: ReadonlySet<string>): Promise<ReadonlyMap<string, FilledPool>> {
  const filled = new Map<string, FilledPool>();
  for (const pool of BENCH_POOLS.filter(({ feature }) => needed.has(feature))) {
    const { feature, leased } = pool;
    const found = await owner.query<{ id: string }>('select id from pool where product = $1 and feature = $2', [
      PRODUCT,
      feature,
    ]);
    const poolId = Number(found.rows[0]?.id);
    await owner.query('update pool set grant_seq = $2 where id = $1', [poolId, leased]);
    const leases = await owner.query<{ id: string }>(LEASE, [poolId, leased, LEASE_TTL_SECONDS]);
    filled.set(feature, { ...pool, product: PRODUCT, poolId, leaseIds: leases.rows.map(({ id }) => id) });
  }
  await owner.query('vacuum analyze');
  return filled;
}
