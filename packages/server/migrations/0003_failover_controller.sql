-- What the failover controller needs of a license database.

-- It proves a promoted database writable by writing here.
create table controller_write_check (
  singleton boolean primary key default true check (singleton),
  written_at timestamptz not null default clock_timestamp()
);

-- Closing an epoch that its servers never opened here (all of them died first) leaves a closed row, so that a server
-- that wakes up later cannot open it. Closing twice is closing once.
create or replace function evergrant_close_epoch(epoch_to_close bigint) returns pg_lsn
  language plpgsql security definer set search_path = pg_catalog, public as $$
declare
  newest bigint;
begin
  perform pg_advisory_xact_lock(7303014001);
  select max(epoch) into newest from public.epoch;
  if newest > epoch_to_close then
    raise exception 'epoch % is not the newest epoch: that is %', epoch_to_close, newest using errcode = 'EG001';
  elsif newest is distinct from epoch_to_close then
    insert into public.epoch (epoch, region, opened_at, opened_by, closed_at)
    values (epoch_to_close, 'none', null, 'nobody: closed before it was opened', clock_timestamp());
  else
    update public.epoch set closed_at = clock_timestamp() where epoch = epoch_to_close and closed_at is null;
  end if;
  return pg_current_wal_insert_lsn();
end
$$;
