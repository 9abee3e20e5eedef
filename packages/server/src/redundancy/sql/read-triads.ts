import type { Pool, PoolClient } from 'pg';
import { withConnection } from '../../platform/postgres/connection';
import type { TriadFacts } from '../core/triad';

/** Ages are measured by the database's clock. */
const READ_TRIADS = `
select named.servers, coalesce(triad.term, 0) as term, triad.in_control as "inControl",
  coalesce(extract(epoch from clock_timestamp() - triad.renewed_at) * 1000, 0)::float8 as "renewedAgoMs",
  seen.servers as "seenServers", seen.addresses, seen.ago_ms as "seenAgoMs"
from (select distinct servers from license where kind = 'redundant') named
left join triad on triad.servers = named.servers
cross join lateral (
  select coalesce(array_agg(server), '{}') as servers, coalesce(array_agg(address), '{}') as addresses,
    coalesce(array_agg(extract(epoch from clock_timestamp() - seen_at)::float8 * 1000), '{}') as ago_ms
  from server_presence where server = any(named.servers)
) seen
order by named.servers`;

interface TriadRow {
  readonly servers: readonly string[];
  readonly term: number;
  readonly inControl: string | null;
  readonly renewedAgoMs: number;
  readonly seenServers: readonly string[];
  readonly addresses: readonly string[];
  readonly seenAgoMs: readonly number[];
}

/** Returns every triad that a license names, read in the caller's transaction. */
export async function triadsIn(client: PoolClient): Promise<readonly TriadFacts[]> {
  const result = await client.query<TriadRow>({ name: 'read-triads', text: READ_TRIADS });
  return result.rows.map(({ inControl, seenServers, addresses, seenAgoMs, term, renewedAgoMs, servers }) => ({
    servers,
    control: { term, server: inControl ?? undefined, renewedAgoMs },
    seenAgoMs: new Map(seenServers.map((server, index) => [server, seenAgoMs[index] ?? Number.POSITIVE_INFINITY])),
    addresses: new Map(seenServers.map((server, index) => [server, addresses[index] ?? ''])),
  }));
}

export function readTriads(database: Pool): Promise<readonly TriadFacts[]> {
  return withConnection(database, triadsIn);
}
