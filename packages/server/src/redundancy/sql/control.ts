import type { Pool, PoolClient } from 'pg';
import { commit, withConnection } from '../../platform/postgres/connection';
import { EPOCH_LOCK } from '../../platform/postgres/transaction';
import { PLACE_TTL_MS } from '../../queue/core/queue';
import { TRIAD_POLICY, type TriadClaims, triadName, triadStep } from '../core/triad';
import type { Taking, TakingOutcome, ThisServer } from '../ports';
import { triadsIn } from './read-triads';

/** From the first beat of any of its servers a triad counts the time for which nobody takes control of it. */
const BEAT = `
with known as (
  insert into triad (servers)
  select distinct servers from license where kind = 'redundant' and $1 = any(servers)
  on conflict (servers) do nothing
)
insert into server_presence (server, address, seen_at) values ($1, $2, clock_timestamp())
on conflict (server) do update set address = excluded.address, seen_at = excluded.seen_at`;

/** Says that this server is there. */
export async function beat(database: Pool, { server, address }: ThisServer): Promise<void> {
  await withConnection(database, (client) => client.query({ name: 'beat', text: BEAT, values: [server, address] }));
}

const KEEP = `
update triad set renewed_at = clock_timestamp() where servers = $1 and term = $2 and in_control = $3`;

/** Renews control; false when the term is not this server's any more. */
export async function keepControl(
  database: Pool,
  servers: readonly string[],
  { server, term }: { server: string; term: number },
): Promise<boolean> {
  const kept = await withConnection(database, (client) =>
    client.query({ name: 'keep-control', text: KEEP, values: [servers, term, server] }),
  );
  return kept.rowCount === 1;
}

/** Prolonging every lease may take longer than a grant is allowed to. */
const TAKING_TIME_LIMITS = `set local statement_timeout = '20s'; set local lock_timeout = '5s'`;

const TAKE = `
update triad set term = term + 1, in_control = $3, renewed_at = clock_timestamp(), taken_at = clock_timestamp()
where servers = $1 and term = $2`;

/** Lapsed leases too, while no one has ended them: nobody could renew them. */
const PROLONG_LEASES = `
update lease set expires_at = prolonged.until
from (
  select pool.id, least(clock_timestamp() + pool.lease_ttl_seconds * interval '1 s', license.valid_until) as until
  from pool join license on license.id = pool.license_id
  where license.kind = 'redundant' and license.servers = $1
) prolonged
where lease.pool_id = prolonged.id and lease.state = 'live' and lease.expires_at < prolonged.until`;

/** Places in line too: nobody could ask again for them. */
const PROLONG_PLACES = `
update queue_place set expires_at = clock_timestamp() + $2 * interval '1 ms'
from pool join license on license.id = pool.license_id
where queue_place.pool_id = pool.id and license.kind = 'redundant' and license.servers = $1
  and queue_place.expires_at < clock_timestamp() + $2 * interval '1 ms'`;

/** Takes control under the exclusive epoch lock: no granting transaction is under way, and none sees half of it. */
export async function takeControl(database: Pool, taking: Taking): Promise<TakingOutcome> {
  const { servers, server, fromTerm } = taking;
  return withConnection(database, async (client) => {
    await client.query(`begin; ${TAKING_TIME_LIMITS}; select pg_advisory_xact_lock(${EPOCH_LOCK})`);
    if (!(await isStillToBeHad(client, taking))) {
      await client.query('rollback');
      return { kind: 'too_late' };
    }
    await client.query(TAKE, [servers, fromTerm, server]);
    const prolonged = await client.query(PROLONG_LEASES, [servers]);
    await client.query(PROLONG_PLACES, [servers, PLACE_TTL_MS]);
    await commit(client);
    return { kind: 'taken', term: fromTerm + 1, leasesProlonged: prolonged.rowCount ?? 0 };
  });
}

/** Decided once more on what is there now that nobody else can take it. */
async function isStillToBeHad(client: PoolClient, { servers, server, fromTerm }: Taking): Promise<boolean> {
  const facts = (await triadsIn(client)).find((known) => triadName(known.servers) === triadName(servers));
  if (!facts) return false;
  const step = triadStep(facts, { server, term: undefined }, TRIAD_POLICY);
  return step.kind === 'take' && step.fromTerm === fromTerm;
}

const GIVE_UP = `
update triad set in_control = null, renewed_at = clock_timestamp()
from unnest($2::text[], $3::bigint[]) as held (name, term)
where array_to_string(servers, ',') = held.name and triad.term = held.term and in_control = $1`;

const SAY_FAREWELL = `update server_presence set seen_at = 'epoch' where server = $1`;

/** The others need not wait for anything to lapse. */
export async function leaveTriads(database: Pool, { server, terms }: TriadClaims): Promise<void> {
  await withConnection(database, async (client) => {
    await client.query(SAY_FAREWELL, [server]);
    await client.query(GIVE_UP, [server, [...terms.keys()], [...terms.values()]]);
  });
}
