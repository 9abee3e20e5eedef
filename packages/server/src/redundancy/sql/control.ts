import type { Pool, PoolClient } from 'pg';
import { commit, withConnection } from '../../platform/postgres/connection';
import { EPOCH_LOCK } from '../../platform/postgres/transaction';
import { PLACE_TTL_MS } from '../../queue/core/queue';
import { TRIAD_POLICY, type TriadClaims, triadName, triadStep } from '../core/triad';
import type { AcquisitionOutcome, ControlAcquisition, HeldControl, TriadServer } from '../store';
import { triadsIn } from './read-triads';

/** Inserts a triad at the first heartbeat of any of its servers. Its vacancy is counted from then. */
const HEARTBEAT = `
with known as (
  insert into triad (servers)
  select distinct servers from license where kind = 'redundant' and $1 = any(servers)
  on conflict (servers) do nothing
)
insert into server_presence (server, address, seen_at) values ($1, $2, clock_timestamp())
on conflict (server) do update set address = excluded.address, seen_at = excluded.seen_at`;

export async function recordHeartbeat(database: Pool, { server, address }: TriadServer): Promise<void> {
  await withConnection(database, (client) =>
    client.query({ name: 'triad-heartbeat', text: HEARTBEAT, values: [server, address] }),
  );
}

const RENEW = `
update triad set renewed_at = clock_timestamp() where servers = $1 and term = $2 and in_control = $3`;

/** Resolves to false when another server has started a later term. */
export async function renewControl(
  database: Pool,
  servers: readonly string[],
  { server, term }: HeldControl,
): Promise<boolean> {
  const renewed = await withConnection(database, (client) =>
    client.query({ name: 'renew-control', text: RENEW, values: [servers, term, server] }),
  );
  return renewed.rowCount === 1;
}

/** Prolonging every lease may take longer than a grant is allowed to. */
const ACQUISITION_TIME_LIMITS = `set local statement_timeout = '20s'; set local lock_timeout = '5s'`;

const ACQUIRE = `
update triad set term = term + 1, in_control = $3, renewed_at = clock_timestamp(), taken_at = clock_timestamp()
where servers = $1 and term = $2`;

/** Includes expired leases that no sweep has ended yet: during the vacancy their holders could not renew them. */
const PROLONG_LEASES = `
update lease set expires_at = prolonged.until
from (
  select pool.id, least(clock_timestamp() + pool.lease_ttl_seconds * interval '1 s', license.valid_until) as until
  from pool join license on license.id = pool.license_id
  where license.kind = 'redundant' and license.servers = $1
) prolonged
where lease.pool_id = prolonged.id and lease.state = 'live' and lease.expires_at < prolonged.until`;

/** During the vacancy, clients could not renew their queue places either. */
const PROLONG_PLACES = `
update queue_place set expires_at = clock_timestamp() + $2 * interval '1 ms'
from pool join license on license.id = pool.license_id
where queue_place.pool_id = pool.id and license.kind = 'redundant' and license.servers = $1
  and queue_place.expires_at < clock_timestamp() + $2 * interval '1 ms'`;

/** Acquires control under the exclusive epoch lock, so that no granting transaction overlaps the change of control. */
export async function acquireControl(database: Pool, acquisition: ControlAcquisition): Promise<AcquisitionOutcome> {
  const { servers, server, fromTerm } = acquisition;
  return withConnection(database, async (client) => {
    await client.query(`begin; ${ACQUISITION_TIME_LIMITS}; select pg_advisory_xact_lock(${EPOCH_LOCK})`);
    if (!(await isStillVacant(client, acquisition))) {
      await client.query('rollback');
      return { kind: 'too_late' };
    }
    await client.query(ACQUIRE, [servers, fromTerm, server]);
    const prolonged = await client.query(PROLONG_LEASES, [servers]);
    await client.query(PROLONG_PLACES, [servers, PLACE_TTL_MS]);
    await commit(client);
    return { kind: 'acquired', term: fromTerm + 1, leasesProlonged: prolonged.rowCount ?? 0 };
  });
}

/** Decides again on the facts under the lock, because no other server can acquire control now. */
async function isStillVacant(client: PoolClient, { servers, server, fromTerm }: ControlAcquisition): Promise<boolean> {
  const facts = (await triadsIn(client)).find((known) => triadName(known.servers) === triadName(servers));
  if (!facts) return false;
  const step = triadStep(facts, { server, term: undefined }, TRIAD_POLICY);
  return step.kind === 'acquire' && step.fromTerm === fromTerm;
}

const RESIGN = `
update triad set in_control = null, renewed_at = clock_timestamp()
from unnest($2::text[], $3::bigint[]) as held (name, term)
where array_to_string(servers, ',') = held.name and triad.term = held.term and in_control = $1`;

const RECORD_ABSENCE = `update server_presence set seen_at = 'epoch' where server = $1`;

/** Lets the other servers acquire control at once instead of waiting until the control lease expires. */
export async function resignControl(database: Pool, { server, terms }: TriadClaims): Promise<void> {
  await withConnection(database, async (client) => {
    await client.query(RECORD_ABSENCE, [server]);
    await client.query(RESIGN, [server, [...terms.keys()], [...terms.values()]]);
  });
}
