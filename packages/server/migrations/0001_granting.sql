-- Epochs, licenses, pools and leases. The database's clock decides expiry; constraints are the last defence.

create table epoch (
  epoch bigint primary key check (epoch >= 1),
  region text not null,
  -- Null: closed before any server opened it. Nothing was granted in such an epoch.
  opened_at timestamptz default clock_timestamp(),
  opened_by text not null,
  closed_at timestamptz,
  check (opened_at is not null or closed_at is not null)
);

create table license (
  id text primary key,
  customer text not null,
  product text not null,
  provisioned_at timestamptz not null default clock_timestamp()
);

create table pool (
  id bigint generated always as identity primary key,
  license_id text not null references license,
  product text not null,
  feature text not null,
  seats integer not null check (seats >= 0),
  lease_ttl_seconds integer not null check (lease_ttl_seconds >= 1),
  -- How many seats may be granted without the follower's acknowledgement (S2).
  escrow integer not null check (escrow >= 0),
  -- Kept by the triggers on lease alone, so that it cannot drift from the rows.
  seats_taken integer not null default 0 check (seats_taken >= 0),
  -- Free seats that are not sold, because unknown grants of a lost region may claim them (S4).
  seats_held_back integer not null default 0 check (seats_held_back >= 0),
  -- Seats of such grants that may yet come to light; beyond the held back, they can only be seats counted twice.
  seats_awaited integer not null default 0 check (seats_awaited >= seats_held_back),
  awaited_until timestamptz,
  -- Seats counted twice: an adopted lease proved that the release of a counted one was lost.
  seats_over integer not null default 0 check (seats_over >= 0),
  -- Counts granted seats in commit order (S1).
  grant_seq bigint not null default 0,
  acked_seq bigint not null default 0,
  unique (product, feature),
  constraint pool_never_oversold check (seats_taken + seats_held_back <= seats + seats_over)
) with (fillfactor = 50);

create table lease (
  id uuid primary key,
  pool_id bigint not null references pool,
  holder text not null,
  seats integer not null check (seats >= 1),
  seq bigint not null,
  epoch bigint not null,
  granted_at timestamptz not null,
  expires_at timestamptz not null,
  state text not null default 'live' check (state in ('live', 'released', 'expired')),
  ended_at timestamptz check ((ended_at is null) = (state = 'live')),
  adopted_from_epoch bigint
);
create index lease_live_by_expiry on lease (pool_id, expires_at) where state = 'live';
create index lease_by_holder on lease (holder);

-- A seat that comes free refills what is held back first: while unknown grants may still claim seats, a release or
-- an expiry must not let them be sold. Taking seats never touches what is held back: the constraint watches that.
create function pool_count_change(pool_changed bigint, delta bigint) returns void language sql as $$
  update pool
  set seats_taken = seats_taken + delta,
      seats_over = case when delta < 0 then least(seats_over, greatest(0, seats_taken + delta - seats)) else seats_over end,
      seats_held_back = case when delta < 0 then least(seats_awaited, greatest(0, seats - seats_taken - delta))
                             else seats_held_back end
  where id = pool_changed
$$;

create function lease_count_seats() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    perform pool_count_change(changed.pool_id, changed.delta)
    from (select pool_id, sum(seats) as delta from leases_after where state = 'live' group by pool_id) changed
    order by changed.pool_id;
  elsif tg_op = 'DELETE' then
    perform pool_count_change(changed.pool_id, -changed.delta)
    from (select pool_id, sum(seats) as delta from leases_before where state = 'live' group by pool_id) changed
    order by changed.pool_id;
  else
    perform pool_count_change(changed.pool_id, changed.delta)
    from (
      select pool_id, sum(seats) as delta
      from (
        select pool_id, seats from leases_after where state = 'live'
        union all
        select pool_id, -seats from leases_before where state = 'live'
      ) each_lease
      group by pool_id
      having sum(seats) <> 0
    ) changed
    order by changed.pool_id;
  end if;
  return null;
end
$$;

create trigger lease_inserted after insert on lease
  referencing new table as leases_after for each statement execute function lease_count_seats();
create trigger lease_updated after update on lease
  referencing old table as leases_before new table as leases_after for each statement execute function lease_count_seats();
create trigger lease_deleted after delete on lease
  referencing old table as leases_before for each statement execute function lease_count_seats();

-- Closes an epoch for good, as a transaction: once this has committed nothing can be granted in it. Every granting
-- transaction holds the shared side of the same advisory lock, and reads the epoch under it. After the commit
-- pg_current_wal_flush_lsn() is the position that the follower has to reach to have everything.
create function evergrant_close_epoch(epoch_to_close bigint) returns pg_lsn
  language plpgsql security definer set search_path = pg_catalog, public as $$
declare
  newest bigint;
begin
  perform pg_advisory_xact_lock(7303014001);
  select max(epoch) into newest from public.epoch;
  if newest is distinct from epoch_to_close then
    raise exception 'epoch % is not the newest epoch: that is %', epoch_to_close, coalesce(newest::text, 'none')
      using errcode = 'EG001';
  end if;
  update public.epoch set closed_at = clock_timestamp() where epoch = epoch_to_close and closed_at is null;
  return pg_current_wal_insert_lsn();
end
$$;
revoke execute on function evergrant_close_epoch(bigint) from public;
