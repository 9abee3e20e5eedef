import type { Pool } from 'pg';
import { withConnection } from '../../platform/postgres/connection';
import type { AuthorityAnswer } from '../store';

/**
 * Only the row that the update returns proves authority. The update waits for a concurrent latch and then checks its
 * condition against the new row, so it renews nothing when a newer epoch of the other region was latched. `renewed_at`
 * only grows, also when the store's clock is set back.
 */
const RENEW = `
with renewed as (
  update authority set renewed_at = greatest(renewed_at, clock_timestamp()), renewed_by = $2
  where $3 and region = $1 and opens_at <= clock_timestamp()
  returning epoch, region
)
select a.epoch, a.region, coalesce(a.opens_at <= clock_timestamp(), false) as open, renewed.epoch as renewed_epoch,
  floor(extract(epoch from clock_timestamp() - coalesce(a.lapsed_at, a.opens_at)) * 1000)::float8 as lapsed_ago_ms,
  a.unprotected_epoch, a.unprotected_since::text as unprotected_since
from authority a left join renewed on true`;

interface AuthorityRow {
  readonly epoch: number;
  readonly region: string;
  readonly open: boolean;
  readonly renewed_epoch: number | null;
  readonly lapsed_ago_ms: number | null;
  readonly unprotected_epoch: number | null;
  readonly unprotected_since: string | null;
}

function unprotectedOf({ unprotected_epoch: epoch, unprotected_since: since }: AuthorityRow) {
  return epoch === null || since === null ? undefined : { epoch, since };
}

/** Reads the authority record, after renewing it if `renew` is set. Throws `DatabaseFailure`. */
export async function renewAuthority(
  authorityStore: Pool,
  { region, server, renew }: { region: string; server: string; renew: boolean },
): Promise<AuthorityAnswer> {
  const result = await withConnection(authorityStore, (client) =>
    client.query<AuthorityRow>({
      name: 'renew-authority',
      text: RENEW,
      values: [region, server, renew],
    }),
  );
  const [row] = result.rows;
  if (!row) throw new TypeError('the authority store has no authority record');
  return {
    record: {
      epoch: row.epoch,
      region: row.region,
      open: row.open,
      lapsedAgoMs: row.lapsed_ago_ms ?? undefined,
      unprotected: unprotectedOf(row),
    },
    renewedEpoch: row.renewed_epoch ?? undefined,
  };
}
