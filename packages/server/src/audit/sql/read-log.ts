import type { AuditEvent } from '@evergrant/formats/audit/event';
import type { Pool } from 'pg';
import { withConnection } from '../../platform/postgres/connection';
import type { ChainHead, ChainSection, LogState } from '../store';

/** Formats a timestamp as in the hashed content: UTC with microseconds. */
export function instant(expression: string): string {
  return `to_char(${expression} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}

/** The newest usage row of a pool holds its seats taken by events. */
const READ_STATE = `
select ${instant('clock_timestamp()')} as at, pg_is_in_recovery() or current_setting('transaction_read_only') = 'on' as "readOnly",
  (select coalesce(max(epoch), 0) from epoch where opened_at is not null) as epoch, (select era from audit_era) as era,
  head.chain, head.seq, encode(head.hash, 'hex') as hash,
  pool.license_id as "licenseId", pool.product, pool.feature, pool.seats_taken - pool.seats_over as "seatsTaken",
  coalesce((select seats_taken from audit_usage where chain = head.chain order by day desc limit 1), 0) as "seatsTakenByLog"
from (select) nothing
left join audit_chain head on head.seq > 0
left join pool on head.chain = 'pool/' || pool.id
order by head.chain`;

type StateRow = { at: string; readOnly: boolean; epoch: number; era: number } & Omit<ChainHead, 'chain' | 'pool'> &
  NonNullable<ChainHead['pool']> & { chain: string | null; licenseId: string | null };

/** Reads the heads of all chains at one instant. */
export async function readLogState(database: Pool): Promise<LogState> {
  const { rows } = await withConnection(database, (client) =>
    client.query<StateRow>({ name: 'audit-state', text: READ_STATE }),
  );
  const [first] = rows;
  if (!first) throw new TypeError('the state of the audit log has no row');
  const heads = rows.flatMap(({ chain, seq, hash, licenseId, product, feature, seatsTaken, seatsTakenByLog }) => {
    if (chain === null) return [];
    const pool = licenseId === null ? undefined : { licenseId, product, feature, seatsTaken, seatsTakenByLog };
    return [{ chain, seq, hash, pool }];
  });
  return { at: first.at, epoch: first.epoch, era: first.era, writable: !first.readOnly, heads };
}

const READ_BOUNDS = `
select chain, case when $1::timestamptz is null then 1 else evergrant_audit_first_seq(chain, $1) end as first,
  case when $2::timestamptz is null then seq
       else least(seq, evergrant_audit_first_seq(chain, $2::timestamptz + interval '2 hours')) end as last
from audit_chain where seq > 0`;

export async function readBounds(
  database: Pool,
  { since, until }: { since: string | undefined; until: string | undefined },
): Promise<Map<string, { first: number; last: number }>> {
  const { rows } = await withConnection(database, (client) =>
    client.query<{ chain: string; first: number; last: number }>(READ_BOUNDS, [since ?? null, until ?? null]),
  );
  return new Map(rows.map(({ chain, first, last }) => [chain, { first, last }]));
}

const READ_SECTION = `
select chain, seq, epoch, era, ${instant('at')} as at, kind, actor, body::text as body,
  encode(previous_hash, 'hex') as "previousHash", encode(hash, 'hex') as hash
from audit_event
where chain = $1 and seq > $2 and seq <= $3 and ($4::text is null or kind = $4)
  and ($5::timestamptz is null or at >= $5) and ($6::timestamptz is null or at < $6)
order by seq`;

/** Reads a section of one chain. A chain has no gaps, so the numbers bound the size of the result. */
export async function readSection(database: Pool, section: ChainSection): Promise<AuditEvent[]> {
  const { chain, afterSeq, untilSeq, kind, since, until } = section;
  const { rows } = await withConnection(database, (client) =>
    client.query<AuditEvent>({
      name: 'audit-section',
      text: READ_SECTION,
      values: [chain, afterSeq, untilSeq, kind ?? null, since ?? null, until ?? null],
    }),
  );
  return rows;
}
