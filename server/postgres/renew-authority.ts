import type { Pool } from 'pg';
import type { AuthorityAnswer } from '../ports';
import { withConnection } from './connection';

/**
 * Only the row that the update itself returns proves authority: had a newer epoch been latched meanwhile, the
 * condition would not hold on the row that the update finds after waiting for it.
 */
const RENEW = `
with renewed as (
  update authority set renewed_at = clock_timestamp(), renewed_by = $2
  where $3 and region = $1 and opens_at <= clock_timestamp()
  returning epoch, region
)
select a.epoch, a.region, coalesce(a.opens_at <= clock_timestamp(), false) as open, renewed.epoch as renewed_epoch,
  floor(extract(epoch from clock_timestamp() - coalesce(a.lapsed_at, a.opens_at)) * 1000)::float8 as lapsed_ago_ms
from authority a left join renewed on true`;

/** Renews the region's authority if `renew`, and reads the record in any case. Throws `DatabaseFailure`. */
export async function renewAuthority(
  authorityStore: Pool,
  { region, server, renew }: { region: string; server: string; renew: boolean },
): Promise<AuthorityAnswer> {
  const result = await withConnection(authorityStore, (client) =>
    client.query<{
      epoch: number;
      region: string;
      open: boolean;
      renewed_epoch: number | null;
      lapsed_ago_ms: number | null;
    }>({
      name: 'renew-authority',
      text: RENEW,
      values: [region, server, renew],
    }),
  );
  const [row] = result.rows;
  if (!row) throw new TypeError('the authority store holds no record');
  return {
    record: { epoch: row.epoch, region: row.region, open: row.open, lapsedAgoMs: row.lapsed_ago_ms ?? undefined },
    renewedEpoch: row.renewed_epoch ?? undefined,
  };
}
