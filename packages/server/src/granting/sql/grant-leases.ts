import type { Pool } from 'pg';
import { recordDenials } from '../../audit/sql/denials';
import type { FollowerSnapshot, InEpoch } from '../../epochs/store';
import { batchInEpoch, type Row, type Statement, type Transaction } from '../../platform/postgres/transaction';
import { loadQueue, saveQueue } from '../../queue/sql/queue';
import type { TriadRefusal } from '../../redundancy/core/triad';
import { triadRefusals } from '../../redundancy/sql/triad-refusals';
import { loadReserved } from '../../reservations/sql/load-reserved';
import type { Entitlement } from '../core/entitlement';
import type { Protection } from '../core/escrow';
import { decideGrants, type GrantDecision, type GrantRequest } from '../core/grant';
import type { Lease } from '../core/lease';
import { NOTHING_RESERVED, type PoolCount } from '../core/pool-ledger';
import type { GrantBatchRequest, GrantBatchResult, GrantMismatch } from '../store';
import { EXPIRED } from './expire-leases';
import { LEASE_COLUMNS, type LeaseRow, leaseOf, milliseconds } from './rows';

/**
 * Decides a batch of one pool in one transaction (S1): lock the pool, end expired leases, read the leases of the
 * requests, decide, write. All counts are read under the pool's row lock. Resolves to the verdicts in the order of the
 * requests. A pool whose row differs from the entitlement grants nothing: a license was imported, or the row was
 * edited.
 */
export async function grantLeases(
  database: Pool,
  batch: GrantBatchRequest,
): Promise<InEpoch<GrantBatchResult | GrantMismatch | TriadRefusal>> {
  const { entitlement, requests, expected } = batch;
  const reading = [...lockPool(entitlement.poolId), loadLeases(entitlement.poolId, requests)];
  if (entitlement.kind !== 'redundant') {
    return batchInEpoch(database, { expected, opening: reading }, (transaction, read, { unprotected }) =>
      decideAndWrite(transaction, read, { ...batch, unprotected }),
    );
  }
  return batchInEpoch(database, { expected, opening: [] }, async (transaction, _read, { unprotected }) => {
    // Checked before the pool is locked and its expired leases end: a server that is not in control changes nothing.
    const refusal = (await triadRefusals(transaction.client, expected.triads))(entitlement.servers);
    return refusal ?? decideAndWrite(transaction, await transaction.run(reading), { ...batch, unprotected });
  });
}

async function decideAndWrite(
  transaction: Transaction,
  read: readonly Row[][],
  { entitlement, requests, expected, policy, follower, unprotected }: GrantBatchRequest & { unprotected: boolean },
): Promise<GrantBatchResult | GrantMismatch> {
  const [[row] = [], leases = []] = read.slice(-2);
  if (!row) return 'entitlement_not_found';
  const { nowMs, mustOutliveMs, issue, hasReservations, hasPlaces, ...locked } = row as unknown as LockedPool;
  const pool = { ...locked, ackedSeq: Math.max(locked.ackedSeq, follower.ackedSeq) };
  if (!agrees(pool, issue, entitlement)) return 'entitlement_changed';
  const { client } = transaction;
  const known = (leases as unknown as LeaseRow[]).map(leaseOf);
  const reserved = hasReservations ? await loadReserved(client, pool.id, requests) : NOTHING_RESERVED;
  const places = hasPlaces ? await loadQueue(client, pool.id) : [];
  const facts = { pool, known, reserved, places };
  const moment = { epoch: expected.epoch, nowMs, mustOutliveMs: mustOutliveMs ?? undefined };
  const protection = protectionOf(follower, unprotected);
  const decision = decideGrants({ ...facts, ...moment, entitlement, requests, policy, protection });
  if (decision.handedOver.length > 0) transaction.write(handOverLeases(decision.handedOver));
  if (decision.inserted.length > 0) transaction.write(insertLeases({ decision, requests, nowMs }));
  await saveQueue(client, pool.id, decision.queue);
  const denials = recordDenials(pool.id, requests, decision.verdicts);
  if (denials !== undefined) transaction.write(denials);
  const { escrow, ackedSeq } = pool;
  return { verdicts: decision.verdicts, nowMs, grantSeq: decision.pool.grantSeq, escrow, ackedSeq };
}

function protectionOf({ answersInTime }: FollowerSnapshot, unprotected: boolean): Protection {
  if (unprotected) return 'unprotected';
  return answersInTime ? 'followed' : 'cut_off';
}

type LockedPool = PoolCount & {
  readonly nowMs: number;
  readonly mustOutliveMs: number | null;
  readonly issue: number;
  readonly hasReservations: boolean;
  readonly hasPlaces: boolean;
};

function agrees(pool: PoolCount, issue: number, entitlement: Entitlement): boolean {
  const { seats, overdraft } = entitlement;
  return pool.seats === seats && pool.overdraft === overdraft && issue === entitlement.issue;
}

const RECLAIMED_MAX = 500;

const LOCK_POOL = 'select id from pool where id = $1 for update';

const RELEASE_HELD_BACK = `
update pool set seats_awaited = 0, seats_held_back = 0, awaited_until = null
where id = $1 and awaited_until <= clock_timestamp()`;

/**
 * Expired leases that another transaction has locked are skipped, so that no two transactions wait for each other. The
 * time is read once, in a subquery: with a volatile function or another order, PostgreSQL would read the whole index.
 * The planner cannot estimate how few leases have expired. An array is looked up by primary key, where a join would
 * scan the table.
 */
export const RECLAIM_EXPIRED = `
update lease set ${EXPIRED} where id = any(array(
  select id from lease where pool_id = $1 and state = 'live' and expires_at <= (select clock_timestamp())
  order by expires_at limit ${RECLAIMED_MAX} for update skip locked
))`;

const READ_POOL = `
select pool.id, seats, overdraft, seats_taken as "seatsTaken", seats_held_back as "seatsHeldBack",
  seats_awaited as "seatsUnresolved", seats_over as "seatsOver", grant_seq as "grantSeq", queue_seq as "queueSeq",
  acked_seq as "ackedSeq", escrow,
  license.version as issue, exists (select from reservation where pool_id = $1) as "hasReservations",
  exists (select from queue_place where pool_id = $1 and expires_at > clock_timestamp()) as "hasPlaces",
  (select ${milliseconds('must_outlive')} from epoch order by epoch desc limit 1) as "mustOutliveMs",
  ${milliseconds('clock_timestamp()')} as "nowMs"
from pool join license on license.id = pool.license_id where pool.id = $1`;

function lockPool(poolId: number): Statement[] {
  const values = [poolId];
  return [
    { name: 'lock-pool', text: LOCK_POOL, values },
    { name: 'release-held-back', text: RELEASE_HELD_BACK, values },
    { name: 'reclaim-lapsed', text: RECLAIM_EXPIRED, values },
    { name: 'read-pool', text: READ_POOL, values },
  ];
}

/** Leases with the requested ids, and leases that the same installations already hold. */
const LOAD_LEASES = `
select ${LEASE_COLUMNS} from lease l where l.id = any($1::uuid[])
union
select ${LEASE_COLUMNS} from lease l where l.pool_id = $2 and l.state = 'live' and l.identity = any($3::text[])`;

function loadLeases(poolId: number, requests: readonly GrantRequest[]): Statement {
  const identities = new Set(requests.flatMap((request) => request.identity ?? []));
  const leaseIds = requests.map((request) => request.leaseId);
  return { name: 'load-leases', text: LOAD_LEASES, values: [leaseIds, poolId, [...identities]] };
}

const HAND_OVER_LEASES = `
update lease set handover = handed.handover from unnest($1::uuid[], $2::int[]) as handed (id, handover)
where lease.id = handed.id`;

function handOverLeases(leases: readonly Lease[]): Statement {
  const values = [leases.map(({ id }) => id), leases.map(({ handover = 0 }) => handover)];
  return { name: 'hand-over-leases', text: HAND_OVER_LEASES, values };
}

/** Triggers on `lease` count the seats. The pool's other figures come from the decision. */
const INSERT_LEASES = `
with counted as (
  update pool set grant_seq = $2, seats_awaited = $3, seats_held_back = $4, seats_over = $5, acked_seq = $19
  where id = $1
)
insert into lease (id, pool_id, holder, seats, seq, epoch, granted_at, expires_at, adopted_from_epoch, control_room,
  granted_by, identity, overdraft, borrowed, handover)
select granted.id, $1, granted.holder, granted.seats, granted.seq, $6, to_timestamp($7::float8 / 1000),
  to_timestamp(granted.expires_at_ms / 1000), granted.adopted_from_epoch, granted.control_room, granted.granted_by,
  granted.identity, granted.overdraft, granted.borrowed, granted.handover
from unnest($8::uuid[], $9::text[], $10::int[], $11::bigint[], $12::float8[], $13::bigint[], $14::uuid[], $15::text[],
    $16::text[], $17::boolean[], $18::boolean[], $20::int[])
  as granted (id, holder, seats, seq, expires_at_ms, adopted_from_epoch, control_room, granted_by, identity, overdraft,
    borrowed, handover)
order by granted.id`;

function insertLeases({
  decision,
  requests,
  nowMs,
}: {
  decision: GrantDecision;
  requests: readonly GrantRequest[];
  nowMs: number;
}): Statement {
  const { pool, inserted, verdicts } = decision;
  const asked = new Map<string, { request: GrantRequest; adopted: boolean }>();
  verdicts.forEach((verdict, index) => {
    const request = requests[index];
    if (verdict.kind === 'granted' && verdict.how !== 'again' && request)
      asked.set(verdict.lease.id, { request, adopted: verdict.how === 'adopted' });
  });
  const adoptedFrom = ({ id }: Lease) => (asked.get(id)?.adopted ? asked.get(id)?.request.claim?.epoch : undefined);
  return {
    name: 'insert-leases',
    text: INSERT_LEASES,
    values: [
      pool.id,
      pool.grantSeq,
      pool.seatsUnresolved,
      pool.seatsHeldBack,
      pool.seatsOver,
      inserted[0]?.epoch,
      nowMs,
      inserted.map((lease) => lease.id),
      inserted.map((lease) => lease.holder),
      inserted.map((lease) => lease.seats),
      inserted.map((lease) => lease.seq),
      inserted.map((lease) => lease.expiresAtMs),
      inserted.map((lease) => adoptedFrom(lease) ?? null),
      inserted.map((lease) => lease.controlRoom ?? null),
      inserted.map((lease) => asked.get(lease.id)?.request.grantedBy ?? null),
      inserted.map((lease) => lease.identity ?? null),
      inserted.map((lease) => lease.overdraft),
      inserted.map((lease) => lease.borrowed),
      pool.ackedSeq,
      inserted.map(({ handover = 0 }) => handover),
    ],
  };
}
