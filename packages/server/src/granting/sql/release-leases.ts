import type { Pool, PoolClient } from 'pg';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { batchInEpoch } from '../../platform/postgres/transaction';
import { endedBecause, type LeaseClaim } from '../core/lease';
import type { ReleaseRequest, ReleaseVerdict } from '../store';

/** Locks pools before leases, each in the order of their ids. Every transaction uses this order. */
const LOCK_POOLS = `
select id from pool
where id = any(
  $2::bigint[] || array(
    select pool_id from lease where id = any($1::uuid[])
    union
    select pool_id from queue_place where lease_id = any($1::uuid[])
  )
)
order by id for update`;

/**
 * The WHERE clause states who may release what. A Control Room's token releases its own leases only. A proof of an earlier
 * handover releases nothing. A lease that its holder does not release is only marked: `LeaseEndings` ends it.
 */
const RELEASE_LEASES = `
with locked as materialized (
  select id, state, control_room, handover from lease where id = any($1::uuid[]) and pool_id = any($2::bigint[])
  order by id for update
), allowed as (
  select distinct on (locked.id) locked.id, locked.state, asked.ended_by, asked.ended_because, asked.only_mark
  from unnest($1::uuid[], $3::uuid[], $4::text[], $5::text[], $6::int[], $7::boolean[])
    with ordinality as asked (id, control_room, ended_by, ended_because, handover, only_mark, number)
  join locked on locked.id = asked.id
  where (asked.control_room is null or asked.control_room = locked.control_room)
    and (asked.handover is null or asked.handover >= locked.handover)
  order by locked.id, asked.only_mark, asked.number
), released as (
  update lease set state = case when allowed.only_mark then 'live' else 'released' end,
    ended_at = case when not allowed.only_mark then clock_timestamp() end,
    ending_since = case when allowed.only_mark then coalesce(lease.ending_since, clock_timestamp()) end,
    ended_by = allowed.ended_by, ended_because = allowed.ended_because
  from allowed where lease.id = allowed.id and allowed.state = 'live'
), left_line as (
  delete from queue_place place using unnest($1::uuid[], $3::uuid[]) as asked (id, control_room)
  where place.lease_id = asked.id and place.pool_id = any($2::bigint[])
    and (asked.control_room is null or asked.control_room = place.control_room)
  returning place.lease_id, place.control_room
)
select id, state, control_room as "controlRoom", handover from locked
union all
select lease_id, 'waiting', control_room, 0 from left_line`;

interface LockedRow {
  readonly id: string;
  readonly state: string;
  readonly controlRoom: string | null;
  readonly handover: number;
}

const RECORD_RELEASED = `
insert into lease (id, pool_id, holder, control_room, seats, seq, epoch, granted_at, expires_at, state, ended_at,
  ended_by, ended_because)
select claim.id, claim.pool_id, claim.holder, claim.control_room, claim.seats, claim.seq, claim.epoch,
  clock_timestamp(), to_timestamp(claim.expires_at_ms / 1000), 'released', clock_timestamp(), claim.ended_by,
  claim.ended_because
from unnest($1::uuid[], $2::bigint[], $3::text[], $4::uuid[], $5::int[], $6::bigint[], $7::bigint[], $8::float8[],
    $9::text[], $10::text[])
  as claim (id, pool_id, holder, control_room, seats, seq, epoch, expires_at_ms, ended_by, ended_because)
where claim.pool_id = any($11::bigint[])
order by claim.id
on conflict (id) do nothing
returning id`;

/**
 * Releases leases and queue places of any pools in one transaction. Resolves to a verdict for each request, in order.
 */
export async function releaseLeases(
  database: Pool,
  requests: readonly ReleaseRequest[],
  expected: ExpectedEpoch,
): Promise<InEpoch<readonly ReleaseVerdict[]>> {
  const leaseIds = requests.map((request) => request.leaseId);
  const poolsProven = requests.flatMap((request) => request.proven?.poolId ?? []);
  const opening = [{ name: 'lock-pools', text: LOCK_POOLS, values: [leaseIds, poolsProven] }];
  return batchInEpoch(database, { expected, opening }, async (transaction, [pools = []]) => {
    const poolIds = pools.map((pool) => Number(pool.id));
    const released = transaction.query<LockedRow>({
      name: 'release-leases',
      text: RELEASE_LEASES,
      values: [
        leaseIds,
        poolIds,
        requests.map((request) => request.controlRoom ?? null),
        requests.map((request) => request.endedBy),
        requests.map((request) => endedBecause(request.end)),
        requests.map((request) => request.handover ?? null),
        requests.map((request) => request.end.kind === 'forced'),
      ],
    });
    if (poolsProven.length === 0) void transaction.commit();
    const known = new Map((await released).rows.map((row) => [row.id, row]));
    const recorded = await recordUnknown(
      transaction.client,
      // A request that is queued here may have received the lease in a lost region. Its token proves that.
      requests.filter(({ leaseId }) => (known.get(leaseId)?.state ?? 'waiting') === 'waiting'),
      poolIds,
    );
    return requests.map((request) => verdictOn(request, known.get(request.leaseId), recorded));
  });
}

function verdictOn(
  { leaseId, controlRoom, handover }: ReleaseRequest,
  row: LockedRow | undefined,
  recorded: ReadonlySet<string>,
): ReleaseVerdict {
  if (recorded.has(leaseId)) return { kind: 'recorded' };
  if (!row) return { kind: 'unknown' };
  if (controlRoom !== undefined && row.controlRoom !== controlRoom) return { kind: 'unknown' };
  switch (row.state) {
    case 'live':
      return { kind: handover !== undefined && handover < row.handover ? 'handed_over' : 'released' };
    case 'waiting':
      return { kind: 'left_line' };
    default:
      return { kind: 'already_ended' };
  }
}

interface ProvenRelease {
  readonly request: ReleaseRequest;
  readonly poolId: number;
  readonly claim: LeaseClaim;
}

/** Records the release of leases that only their tokens prove. Resolves to the recorded ids. */
async function recordUnknown(
  client: PoolClient,
  requests: readonly ReleaseRequest[],
  poolIds: readonly number[],
): Promise<ReadonlySet<string>> {
  const proven = requests.flatMap((request): ProvenRelease[] => {
    if (!request.proven) return [];
    const { poolId, claim } = request.proven;
    return request.controlRoom === undefined || request.controlRoom === claim.controlRoom
      ? [{ request, poolId, claim }]
      : [];
  });
  if (proven.length === 0) return new Set();
  const rows = await client.query<{ id: string }>(RECORD_RELEASED, [
    proven.map(({ claim }) => claim.leaseId),
    proven.map(({ poolId }) => poolId),
    proven.map(({ claim }) => claim.holder),
    proven.map(({ claim }) => claim.controlRoom ?? null),
    proven.map(({ claim }) => claim.seats),
    proven.map(({ claim }) => claim.seq),
    proven.map(({ claim }) => claim.epoch),
    proven.map(({ claim }) => claim.expiresAtMs),
    proven.map(({ request }) => request.endedBy),
    proven.map(({ request }) => endedBecause(request.end)),
    poolIds,
  ]);
  return new Set(rows.rows.map((row) => row.id));
}
