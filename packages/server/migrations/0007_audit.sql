-- The audit log: what happened, in chains of hashes that nobody can bend unseen. One chain a pool, ordered by the pool's
-- row lock, and one named `system`. Triggers write it, so that no code path can forget to. The format, for whoever
-- verifies it in another language, is in docs/audit.md.

do $$
begin
  if current_setting('server_encoding') <> 'UTF8' then
    raise exception 'the license database must be encoded in UTF8: the audit log hashes its texts as they are stored';
  end if;
end
$$;

-- The newest event of each chain. The lock on its row gives the chain its order.
create table audit_chain (
  -- `system` or `pool/<id>`.
  chain text collate "C" primary key,
  seq bigint not null default 0 check (seq >= 0),
  -- Of 32 zero bytes before the first event.
  hash bytea not null default decode(repeat('00', 32), 'hex') check (length(hash) = 32)
) with (fillfactor = 50);
insert into audit_chain (chain) values ('system');

create table audit_event (
  chain text collate "C" not null,
  seq bigint not null check (seq >= 1),
  -- The newest epoch when it happened; 0 before the first.
  epoch bigint not null,
  era bigint not null,
  at timestamptz not null,
  kind text not null,
  actor text not null,
  -- The type json keeps the very text that was written, and that text is hashed.
  body json not null,
  previous_hash bytea not null check (length(previous_hash) = 32),
  hash bytea not null check (length(hash) = 32),
  primary key (chain, seq)
);

-- Each promotion of a database that this log is in begins an era. What was written after the promotion of a follower, and
-- before its epoch was opened, is told by it from what its predecessor had written meanwhile.
create table audit_era (
  singleton boolean primary key default true check (singleton),
  era bigint not null,
  -- PostgreSQL's own, which begins anew after an upgrade.
  timeline text not null
);
insert into audit_era (era, timeline) values (1, left(pg_walfile_name(pg_current_wal_insert_lsn()), 8));

create function audit_current_era() returns bigint language plpgsql as $$
declare
  now_on constant text := left(pg_walfile_name(pg_current_wal_insert_lsn()), 8);
  known audit_era;
begin
  select * into known from audit_era;
  if known.timeline = now_on then return known.era; end if;
  update audit_era set era = era + 1, timeline = now_on where timeline <> now_on;
  return (select era from audit_era);
end
$$;

-- How full each pool was on each day (UTC) on which anything happened, told by the events and kept with them: peaks over
-- years are read from here instead of from millions of events. The verification adds it up again.
create table audit_usage (
  chain text collate "C" not null,
  day date not null,
  seats_peak integer not null,
  -- The sum of seats times milliseconds from midnight to `counted_until`.
  seat_ms numeric not null,
  counted_until timestamptz not null,
  -- From `counted_until` on.
  seats_taken integer not null,
  primary key (chain, day)
) with (fillfactor = 50);

-- How often seats were denied on each day (UTC), counted with the events and kept with them, for the same reason.
create table audit_denials (
  chain text collate "C" not null,
  day date not null,
  code text not null,
  denials bigint not null,
  -- By all of them together.
  seats_asked bigint not null,
  primary key (day, chain, code)
) with (fillfactor = 50);

-- The owner too is stopped, until he drops or disables these triggers; `always`: replication roles as well.
create function audit_only_grows() returns trigger language plpgsql as $$
begin
  raise exception '% of % is refused: the audit log is only added to', lower(tg_op), tg_table_name using errcode = 'EG071';
end
$$;
create trigger audit_only_grows before update or delete or truncate on audit_event
  for each statement execute function audit_only_grows();
create trigger audit_only_grows before delete or truncate on audit_chain
  for each statement execute function audit_only_grows();
create trigger audit_only_grows before delete or truncate on audit_era
  for each statement execute function audit_only_grows();
alter table audit_event enable always trigger audit_only_grows;
alter table audit_chain enable always trigger audit_only_grows;
alter table audit_era enable always trigger audit_only_grows;

-- Functions named audit_… are called by triggers and by the functions named evergrant_…, which run as the owner, with a fixed
-- search path, in UTC and with plans that are kept. Nobody else may call them.

create function audit_count_usage(of_chain text, moment timestamptz, peak integer, last integer) returns void
  language plpgsql as $$
declare
  midnight constant timestamptz := date_trunc('day', moment, 'UTC');
  today constant date := (moment at time zone 'UTC')::date;
begin
  update audit_usage
    set seats_peak = greatest(seats_peak, peak), seats_taken = last, counted_until = greatest(counted_until, moment),
      seat_ms = seat_ms + seats_taken * greatest(0, extract(epoch from moment - counted_until) * 1000)
    where chain = of_chain and day = today;
  if found then return; end if;
  insert into audit_usage (chain, day, seats_peak, seat_ms, counted_until, seats_taken)
    select of_chain, today, greatest(carried, peak), carried * extract(epoch from moment - midnight) * 1000, moment, last
    from (select coalesce((select seats_taken from audit_usage where chain = of_chain and day < today
                           order by day desc limit 1), 0) as carried) before;
end
$$;

-- Appends events to one chain, in the order of the arrays, all at one moment. `seats_taken` has the pool's seats taken
-- after each event, or is null when none of them takes or frees any. Returns the moment.
create function audit_append(to_chain text, kinds text[], actors text[], bodies json[], seats_taken integer[] default null)
  returns timestamptz language plpgsql as $$
declare
  head audit_chain;
  newest_epoch bigint;
  in_era bigint;
  moment timestamptz;
  at_text text;
  chain_part text;
  moment_part text;
  contents bytea[];
  link bytea;
  links bytea[];
begin
  select * into head from audit_chain where chain = to_chain for update;
  if not found then raise exception 'there is no audit chain %', to_chain using errcode = 'EG072'; end if;
  select coalesce(max(epoch), 0) into newest_epoch from epoch;
  in_era := audit_current_era();
  moment := clock_timestamp();

  chain_part := '17:evergrant-audit-1,' || octet_length(to_chain) || ':' || to_chain || ',';
  at_text := to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
  moment_part := length(newest_epoch::text) || ':' || newest_epoch || ',' || length(in_era::text) || ':' || in_era || ','
    || length(at_text) || ':' || at_text || ',';
  -- Netstrings: the length in bytes, a colon, the bytes, a comma.
  select array_agg(convert_to(
      chain_part || length((head.seq + n)::text) || ':' || head.seq + n || ',' || moment_part
      || octet_length(kind) || ':' || kind || ',' || octet_length(actor) || ':' || actor || ','
      || octet_length(body::text) || ':' || body || ',', 'UTF8') order by n)
    into contents
    from unnest(kinds, actors, bodies) with ordinality as event (kind, actor, body, n);
  link := head.hash;
  links := array[link];
  for n in 1 .. cardinality(contents) loop
    link := sha256(link || contents[n]);
    links[n + 1] := link;
  end loop;

  insert into audit_event (chain, seq, epoch, era, at, kind, actor, body, previous_hash, hash)
    select to_chain, head.seq + n, newest_epoch, in_era, moment, kind, actor, body, links[n], links[n + 1]
    from unnest(kinds, actors, bodies) with ordinality as event (kind, actor, body, n);
  update audit_chain set seq = head.seq + cardinality(contents), hash = link where chain = to_chain;
  if seats_taken is not null then
    perform audit_count_usage(to_chain, moment, (select max(taken) from unnest(seats_taken) as taken),
                              seats_taken[cardinality(seats_taken)]);
  end if;
  return moment;
end
$$;

-- Who did it, by name: what the row says, else what the transaction says, else the connection.
create function audit_actor(by_row text) returns text language sql stable
  return coalesce(nullif(by_row, ''), nullif(current_setting('evergrant.actor', true), ''),
                  nullif(current_setting('application_name'), ''), session_user);

create function audit_role_of_stranger() returns text language sql stable as $$
  select session_user where not exists (
    select from pg_catalog.pg_auth_members membership
    join pg_catalog.pg_roles granted on granted.oid = membership.roleid and granted.rolname = 'evergrant_server'
    join pg_catalog.pg_roles member on member.oid = membership.member and member.rolname = session_user)
$$;

-- Null for a license server's session, else the role of it. A superuser, a member of everything, is no server.
create function audit_foreign_role() returns text language sql stable
  return case when session_user <> 'evergrant_server' then audit_role_of_stranger() end;

create function audit_pool_chain(pool_changed bigint) returns text language sql immutable
  return 'pool/' || pool_changed::text;

-- Columns as an event tells them: secrets and whole files by a hash.
create function audit_presentable(name text, value jsonb) returns jsonb language sql immutable as $$
  select case when name in ('token_sha256', 'license_key_sha256', 'file') and value <> 'null'
    then to_jsonb('sha256:' || encode(sha256(convert_to(value #>> '{}', 'UTF8')), 'hex')) else value end
$$;

create function audit_row(columns jsonb) returns jsonb language sql immutable as $$
  select jsonb_object_agg(name, audit_presentable(name, value)) from jsonb_each(columns) as each_column (name, value)
$$;

-- The columns that differ, as they were and as they are. Of a row that came or went: all of them.
create function audit_difference(before jsonb, after jsonb) returns jsonb language sql immutable as $$
  select case when before is null then jsonb_build_object('after', audit_row(after))
              when after is null then jsonb_build_object('before', audit_row(before))
              else jsonb_build_object(
                'before', audit_row((select jsonb_object_agg(name, value) from jsonb_each(before) as was (name, value)
                                     where value is distinct from after -> name)),
                'after', audit_row((select jsonb_object_agg(name, value) from jsonb_each(after) as became (name, value)
                                    where value is distinct from before -> name))) end
$$;

-- LEASES: once a statement, the leases of a pool together -------------------------------------------------------------
-- These triggers run after those that count seats, whose names come before in the alphabet.

create function audit_leases_inserted() returns trigger
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC' set plan_cache_mode = 'force_generic_plan' as $$
declare
  foreign_role constant text := audit_foreign_role();
  written record;
begin
  for written in
    select pool_id, array_agg(kind order by n) as kinds, array_agg(actor order by n) as actors,
      array_agg(body order by n) as bodies, array_agg(taken order by n) as seats_taken
    from (
      select pool_id, n, taken,
        case when state <> 'live' then 'lease_' || state
             when adopted_from_epoch is not null then 'lease_adopted'
             when borrowed then 'lease_borrowed'
             else 'lease_granted' end as kind,
        audit_actor(case when state = 'live' then granted_by else coalesce(ended_by, granted_by) end) as actor,
        json_object(
          'lease': id, 'holder': holder, 'seats': seats, 'seatsTaken': taken,
          'overdraft': nullif(overdraft, false),
          'seq': seq, 'expiresAt': expires_at, 'controlRoom': control_room, 'identity': identity,
          'adoptedFromEpoch': adopted_from_epoch, 'because': ended_because, 'sqlRole': foreign_role
          absent on null returning json) as body
      from (
        select lease.*, row_number() over in_order as n,
          (pool.seats_taken - pool.seats_over - sum(counting) over (partition by pool_id)
           + sum(counting) over in_order)::integer as taken
        from (select *, case state when 'live' then seats else 0 end as counting from leases_after) lease
        join pool on pool.id = pool_id
        window in_order as (partition by pool_id order by seq, lease.id)
      ) lease
    ) event
    group by pool_id order by pool_id
  loop
    perform audit_append(audit_pool_chain(written.pool_id), written.kinds, written.actors, written.bodies, written.seats_taken);
  end loop;
  return null;
end
$$;

-- A heartbeat changes until when a lease lasts and its epoch, nothing else, and only a server sends one. Of anybody else,
-- every change counts.
create function audit_leases_updated() returns trigger
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC'
  set plan_cache_mode = 'force_generic_plan' as $$
declare
  foreign_role constant text := audit_foreign_role();
  changed_ids uuid[];
  written record;
begin
  -- First of all, because most updates are heartbeats: is there anything else?
  select array_agg(coalesce(a.id, b.id)) into changed_ids
    from leases_before b full join leases_after a on a.id = b.id
    where (b.id, b.pool_id, b.holder, b.seats, b.seq, b.granted_at, b.state, b.ended_at, b.adopted_from_epoch,
           b.control_room, b.identity, b.borrowed, b.overdraft, b.granted_by, b.ended_by, b.ended_because)
      is distinct from
          (a.id, a.pool_id, a.holder, a.seats, a.seq, a.granted_at, a.state, a.ended_at, a.adopted_from_epoch,
           a.control_room, a.identity, a.borrowed, a.overdraft, a.granted_by, a.ended_by, a.ended_because)
      or foreign_role is not null and b.* is distinct from a.*;
  if changed_ids is null then return null; end if;

  for written in
    select pool_id, array_agg(kind order by n) as kinds, array_agg(actor order by n) as actors,
      array_agg(body order by n) as bodies, array_agg(taken order by n) as seats_taken
    from (
      select pool_id, n, taken,
        case when as_product is not true then 'altered'
             when state = 'live' then 'lease_borrowed'
             when state = 'expired' then 'lease_expired'
             when ended_because like 'forced%' then 'lease_forced'
             when ended_because like 'disconnected%' then 'lease_disconnected'
             else 'lease_released' end as kind,
        audit_actor(case when as_product and state <> 'live' then ended_by end) as actor,
        case when as_product then json_object(
          'lease': id, 'holder': holder, 'seats': seats, 'seatsTaken': taken,
          'expiresAt': case state when 'live' then expires_at end,
          'grantedAt': granted_at, 'heldMs': held_ms, 'controlRoom': control_room, 'identity': identity,
          'because': ended_because, 'sqlRole': foreign_role
          absent on null returning json)
        else json_object(
          'table': 'lease', 'operation': 'update', 'lease': id, 'holder': holder, 'seats': seats, 'seatsTaken': taken,
          'grantedAt': granted_at, 'heldMs': held_ms, 'change': audit_difference(to_jsonb(before), to_jsonb(after)),
          'reason': nullif(current_setting('evergrant.reason', true), ''), 'sqlRole': foreign_role
          absent on null returning json) end as body
      from (
        select changed.*, row_number() over in_order as n,
          (pool.seats_taken - pool.seats_over - sum(counting) over (partition by pool_id)
           + sum(counting) over in_order)::integer as taken
        from (
          select touched.pool_id, b as before, a as after, coalesce(a.id, b.id) as id, coalesce(a.holder, b.holder) as holder,
            coalesce(a.seats, b.seats) as seats, coalesce(b.seq, a.seq) as seq, coalesce(b.granted_at, a.granted_at) as granted_at,
            a.state, a.expires_at, a.control_room, a.identity, a.ended_by, a.ended_because,
            case when a.state = 'live' and a.pool_id = touched.pool_id then a.seats else 0 end
              - case when b.state = 'live' and b.pool_id = touched.pool_id then b.seats else 0 end as counting,
            case when b.state = 'live' and a.state is distinct from 'live'
              then greatest(0, floor(extract(epoch from clock_timestamp() - b.granted_at) * 1000))::bigint end as held_ms,
            -- What the product does to a lease: it ends it, or it lends it for offline use.
            b.state = 'live' and (a.state <> 'live' and a.borrowed = b.borrowed or a.borrowed and not b.borrowed)
              and (a.pool_id, a.holder, a.seats, a.seq, a.granted_at, a.granted_by, a.adopted_from_epoch, a.control_room,
                   a.identity, a.overdraft) is not distinct from
                  (b.pool_id, b.holder, b.seats, b.seq, b.granted_at, b.granted_by, b.adopted_from_epoch, b.control_room,
                   b.identity, b.overdraft) as as_product
          from leases_before b full join leases_after a on a.id = b.id
          cross join lateral unnest(case when a.pool_id = b.pool_id then array[a.pool_id]
                                         else array_remove(array[b.pool_id, a.pool_id], null) end) as touched (pool_id)
          where coalesce(a.id, b.id) = any(changed_ids)
        ) changed join pool on pool.id = pool_id
        window in_order as (partition by pool_id order by seq, changed.id)
      ) change
    ) event
    group by pool_id order by pool_id
  loop
    perform audit_append(audit_pool_chain(written.pool_id), written.kinds, written.actors, written.bodies, written.seats_taken);
  end loop;
  return null;
end
$$;

-- The product deletes no lease.
create function audit_leases_deleted() returns trigger
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC'
  set plan_cache_mode = 'force_generic_plan' as $$
declare
  foreign_role constant text := audit_foreign_role();
  written record;
begin
  for written in
    select pool_id, array_agg('altered'::text order by n) as kinds, array_agg(audit_actor(null) order by n) as actors,
      array_agg(body order by n) as bodies, array_agg(taken order by n) as seats_taken
    from (
      select pool_id, n, taken, json_object(
          'table': 'lease', 'operation': 'delete', 'lease': id, 'holder': holder, 'seats': seats, 'seatsTaken': taken,
          'grantedAt': granted_at,
          'heldMs': case state when 'live'
            then greatest(0, floor(extract(epoch from clock_timestamp() - granted_at) * 1000))::bigint end,
          'change': audit_difference(to_jsonb(before), null),
          'reason': nullif(current_setting('evergrant.reason', true), ''), 'sqlRole': foreign_role
          absent on null returning json) as body
      from (
        select lease.*, lease as before, row_number() over in_order as n,
          (pool.seats_taken - pool.seats_over
           + coalesce(sum(lease.seats) filter (where state = 'live') over (partition by pool_id), 0)
           - coalesce(sum(lease.seats) filter (where state = 'live') over in_order, 0))::integer as taken
        from leases_before lease join pool on pool.id = pool_id
        window in_order as (partition by pool_id order by seq, lease.id)
      ) lease
    ) event
    group by pool_id order by pool_id
  loop
    perform audit_append(audit_pool_chain(written.pool_id), written.kinds, written.actors, written.bodies, written.seats_taken);
  end loop;
  return null;
end
$$;

create trigger write_audit_of_insert after insert on lease referencing new table as leases_after
  for each statement execute function audit_leases_inserted();
create trigger write_audit_of_update after update on lease referencing old table as leases_before new table as leases_after
  for each statement execute function audit_leases_updated();
create trigger write_audit_of_delete after delete on lease referencing old table as leases_before
  for each statement execute function audit_leases_deleted();
alter table lease enable always trigger write_audit_of_insert, enable always trigger write_audit_of_update,
  enable always trigger write_audit_of_delete;

-- PLACES IN LINE: who stood there, and when and why he left; fair order can be proven ---------------------------------

create function audit_places_taken() returns trigger
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC'
  set plan_cache_mode = 'force_generic_plan' as $$
declare
  foreign_role constant text := audit_foreign_role();
  written record;
begin
  for written in
    select pool_id, array_agg('queued'::text order by number, lease_id) as kinds,
      array_agg(audit_actor(requested_by) order by number, lease_id) as actors,
      array_agg(json_object('lease': lease_id, 'number': number, 'holder': holder, 'seats': seats,
        'controlRoom': control_room, 'identity': identity, 'sqlRole': foreign_role
        absent on null returning json) order by number, lease_id) as bodies
    from places_after group by pool_id order by pool_id
  loop
    perform audit_append(audit_pool_chain(written.pool_id), written.kinds, written.actors, written.bodies);
  end loop;
  return null;
end
$$;

create function audit_places_left() returns trigger
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC'
  set plan_cache_mode = 'force_generic_plan' as $$
declare
  foreign_role constant text := audit_foreign_role();
  written record;
begin
  for written in
    select pool_id, array_agg('queue_left'::text order by number, lease_id) as kinds,
      array_agg(audit_actor(null) order by number, lease_id) as actors,
      array_agg(json_object('lease': lease_id, 'number': number, 'holder': holder, 'seats': seats,
        'controlRoom': control_room, 'identity': identity,
        'because': case when exists (select from lease where id = lease_id and state = 'live') then 'granted'
                        when expires_at <= clock_timestamp() then 'lapsed' else 'given up' end,
        'waitedMs': floor(extract(epoch from clock_timestamp() - enqueued_at) * 1000)::bigint, 'sqlRole': foreign_role
        absent on null returning json) order by number, lease_id) as bodies
    from places_before group by pool_id order by pool_id
  loop
    perform audit_append(audit_pool_chain(written.pool_id), written.kinds, written.actors, written.bodies);
  end loop;
  return null;
end
$$;

-- To ask again changes when a place lapses, no more. One that had lapsed, or stood in another line, begins anew.
create function audit_place_changed() returns trigger
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC'
  set plan_cache_mode = 'force_generic_plan' as $$
declare
  place constant jsonb := jsonb_build_object('lease', new.lease_id, 'holder', new.holder, 'seats', new.seats,
    'controlRoom', new.control_room, 'identity', new.identity);
begin
  if new.lease_id = old.lease_id and (new.pool_id, new.number) <> (old.pool_id, old.number) then
    perform audit_write(audit_pool_chain(old.pool_id), 'queue_left', null, place || jsonb_build_object('number', old.number,
      'because', case when old.expires_at <= clock_timestamp() then 'lapsed' else 'given up' end));
    perform audit_write(audit_pool_chain(new.pool_id), 'queued', new.requested_by,
      place || jsonb_build_object('number', new.number));
  else
    perform audit_write_altered(audit_pool_chain(old.pool_id), 'queue_place', tg_op, to_jsonb(old), to_jsonb(new));
  end if;
  return null;
end
$$;

create trigger write_audit_of_insert after insert on queue_place referencing new table as places_after
  for each statement execute function audit_places_taken();
create trigger write_audit_of_delete after delete on queue_place referencing old table as places_before
  for each statement execute function audit_places_left();
create trigger write_audit_of_update after update on queue_place for each row
  when ((new.lease_id, new.pool_id, new.number, new.holder, new.seats, new.control_room, new.identity) is distinct from
        (old.lease_id, old.pool_id, old.number, old.holder, old.seats, old.control_room, old.identity)
    or session_user <> 'evergrant_server' and (new.requested_by, new.enqueued_at) is distinct from
                                              (old.requested_by, old.enqueued_at))
  execute function audit_place_changed();
alter table queue_place enable always trigger write_audit_of_insert, enable always trigger write_audit_of_delete,
  enable always trigger write_audit_of_update;

-- THE REST: once a row -------------------------------------------------------------------------------------------------
-- What concerns a pool is written at once: its row is locked by then. What concerns all is written at the commit, by
-- deferred triggers, so that the lock on the chain `system` is the last that any transaction takes.

-- One event. Members of the body that are null are left out; the reason and a role that is no server's are added.
create function audit_write(to_chain text, kind text, actor text, body jsonb, seats_taken integer default null) returns void
  language plpgsql as $$
begin
  perform audit_append(to_chain, array[kind], array[audit_actor(actor)], array[
      (select json_object_agg(name, value) from jsonb_each(body || jsonb_build_object('seatsTaken', seats_taken,
         'reason', nullif(current_setting('evergrant.reason', true), ''), 'sqlRole', audit_foreign_role()))
         as member (name, value) where value <> 'null')],
    case when seats_taken is not null then array[seats_taken] end);
end
$$;

-- What the product never does.
create function audit_write_altered(to_chain text, changed_table text, operation text, before jsonb, after jsonb,
                                    seats_taken integer default null) returns void language sql as $$
  select audit_write(to_chain, 'altered', null, jsonb_build_object('table', changed_table, 'operation', lower(operation),
    'change', audit_difference(before, after)), seats_taken)
$$;

create function audit_pool() returns trigger
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC'
  set plan_cache_mode = 'force_generic_plan' as $$
declare
  chain constant text := audit_pool_chain(case tg_op when 'INSERT' then new.id else old.id end);
  -- As it is by now: the same statement may have changed leases after this row.
  taken constant integer := (select seats_taken - seats_over from pool where id = case tg_op when 'INSERT' then new.id else old.id end);
begin
  if tg_op = 'INSERT' then
    -- An id used before goes on with its chain.
    insert into audit_chain (chain) values (chain) on conflict do nothing;
    perform audit_write(chain, 'pool_created', null, jsonb_build_object('license', new.license_id, 'product', new.product,
      'feature', new.feature, 'seats', new.seats, 'overdraft', new.overdraft, 'escrow', new.escrow,
      'leaseTtlSeconds', new.lease_ttl_seconds, 'borrowSecondsMax', new.borrow_seconds_max, 'onDisconnect', new.on_disconnect),
      taken);
  elsif tg_op = 'UPDATE' and tg_argv[0] = 'overdraft' then
    perform audit_write(chain, case when new.overdraft_told then 'overdraft_begun' else 'overdraft_ended' end, null,
      jsonb_build_object('seats', new.seats, 'overdraft', new.overdraft), taken);
  elsif tg_op = 'UPDATE' and tg_argv[0] = 'terms' and (new.id, new.license_id, new.product, new.feature) =
                                                        (old.id, old.license_id, old.product, old.feature) then
    perform audit_write(chain, 'pool_changed', null, audit_difference(to_jsonb(old), to_jsonb(new)), taken);
  else
    perform audit_write_altered(chain, 'pool', tg_op, to_jsonb(old), case when tg_op = 'UPDATE' then to_jsonb(new) end, taken);
  end if;
  return null;
end
$$;
create trigger write_audit after insert or delete on pool for each row execute function audit_pool();
create trigger write_audit_of_terms after update on pool for each row
  when ((new.id, new.license_id, new.product, new.feature, new.seats, new.overdraft, new.lease_ttl_seconds, new.escrow,
         new.borrow_seconds_max, new.on_disconnect)
    is distinct from
        (old.id, old.license_id, old.product, old.feature, old.seats, old.overdraft, old.lease_ttl_seconds, old.escrow,
         old.borrow_seconds_max, old.on_disconnect))
  execute function audit_pool('terms');
create trigger write_audit_of_overdraft after update on pool for each row
  when (new.overdraft_told <> old.overdraft_told) execute function audit_pool('overdraft');
-- Only the triggers on lease change how many seats are taken, and only servers the other counts.
create trigger write_audit_of_counts after update on pool for each row
  when (pg_trigger_depth() = 0 and (new.seats_taken <> old.seats_taken or session_user <> 'evergrant_server' and
        (new.seats_held_back, new.seats_awaited, new.awaited_until, new.seats_over, new.grant_seq, new.acked_seq, new.queue_seq)
    is distinct from
        (old.seats_held_back, old.seats_awaited, old.awaited_until, old.seats_over, old.grant_seq, old.acked_seq, old.queue_seq)))
  execute function audit_pool('counts');
alter table pool enable always trigger write_audit, enable always trigger write_audit_of_terms,
  enable always trigger write_audit_of_overdraft, enable always trigger write_audit_of_counts;

create function audit_reservation() returns trigger
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC'
  set plan_cache_mode = 'force_generic_plan' as $$
declare
  of_row constant reservation := case tg_op when 'DELETE' then old else new end;
  kind constant text := case tg_op when 'INSERT' then 'reservation_made' when 'UPDATE' then 'reservation_changed'
                                   else 'reservation_removed' end;
begin
  if tg_op = 'UPDATE' and (old.pool_id, old.control_room, old.group_name) is distinct from
                          (new.pool_id, new.control_room, new.group_name) then
    perform audit_write_altered(audit_pool_chain(old.pool_id), 'reservation', tg_op, to_jsonb(old), to_jsonb(new));
  else
    perform audit_write(audit_pool_chain(of_row.pool_id), kind, null, jsonb_build_object('controlRoom', of_row.control_room,
      'group', of_row.group_name, 'seats', of_row.seats, 'source', of_row.source,
      'seatsBefore', case tg_op when 'UPDATE' then old.seats end));
  end if;
  return null;
end
$$;
create trigger write_audit after insert or delete on reservation for each row execute function audit_reservation();
create trigger write_audit_of_update after update on reservation for each row
  when (new.* is distinct from old.*) execute function audit_reservation();
alter table reservation enable always trigger write_audit, enable always trigger write_audit_of_update;

create function audit_license() returns trigger
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC'
  set plan_cache_mode = 'force_generic_plan' as $$
begin
  if tg_op = 'INSERT' or tg_op = 'UPDATE' and old.id = new.id
     and (new.version, new.imported_at, new.file) is distinct from (old.version, old.imported_at, old.file) then
    perform audit_write('system', 'license_imported', new.imported_by, jsonb_build_object('license', new.id,
      'issue', new.version, 'customer', new.customer, 'product', new.product, 'kind', new.kind,
      'validFrom', new.valid_from, 'validUntil', new.valid_until, 'controlRoom', new.control_room, 'servers', new.servers,
      'file', audit_presentable('file', to_jsonb(new.file)),
      'change', case tg_op when 'UPDATE' then audit_difference(to_jsonb(old), to_jsonb(new)) end));
  else
    perform audit_write_altered('system', 'license', tg_op, to_jsonb(old), case tg_op when 'UPDATE' then to_jsonb(new) end);
  end if;
  return null;
end
$$;
create constraint trigger write_audit after insert or delete on license deferrable initially deferred
  for each row execute function audit_license();
-- That its end was told of in time is no event.
create constraint trigger write_audit_of_update after update on license deferrable initially deferred
  for each row when (session_user <> 'evergrant_server' and new.* is distinct from old.*
    or to_jsonb(new) - 'expiry_told_days' <> to_jsonb(old) - 'expiry_told_days') execute function audit_license();
alter table license enable always trigger write_audit, enable always trigger write_audit_of_update;

create function audit_control_room() returns trigger
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC'
  set plan_cache_mode = 'force_generic_plan' as $$
begin
  if tg_op = 'INSERT' then
    perform audit_write('system', 'control_room_registered', null, jsonb_build_object('controlRoom', new.id,
      'license', new.license_id, 'name', new.name, 'group', new.group_name, 'state', new.state));
  elsif tg_op = 'DELETE' or (new.id, new.license_id) <> (old.id, old.license_id) then
    perform audit_write_altered('system', 'control_room', tg_op, to_jsonb(old), case tg_op when 'UPDATE' then to_jsonb(new) end);
  else
    perform audit_write('system', case when new.state <> old.state then 'control_room_state'
        when new.recoverable_until is distinct from old.recoverable_until then
          case when new.recoverable_until is null then 'control_room_recovered' else 'control_room_recovery' end
        else 'control_room_changed' end,
      null, jsonb_build_object('controlRoom', new.id, 'license', new.license_id, 'name', new.name,
        'from', case when new.state <> old.state then old.state end, 'to', case when new.state <> old.state then new.state end,
        'change', audit_difference(to_jsonb(old), to_jsonb(new))));
  end if;
  return null;
end
$$;
create constraint trigger write_audit after insert or delete on control_room deferrable initially deferred
  for each row execute function audit_control_room();
-- How long it has been silent or oversubscribed, which only a server writes, is no event; what comes of it is.
create constraint trigger write_audit_of_update after update on control_room deferrable initially deferred
  for each row when (session_user <> 'evergrant_server' and new.* is distinct from old.*
    or to_jsonb(new) - array['last_heartbeat_at', 'silent_since', 'oversubscribed_since']
      <> to_jsonb(old) - array['last_heartbeat_at', 'silent_since', 'oversubscribed_since'])
  execute function audit_control_room();
alter table control_room enable always trigger write_audit, enable always trigger write_audit_of_update;

create function audit_api_token() returns trigger
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC'
  set plan_cache_mode = 'force_generic_plan' as $$
begin
  if tg_op = 'INSERT' then
    perform audit_write('system', 'token_created', new.created_by, jsonb_build_object('token', new.name,
      'scopes', new.scopes, 'controlRoom', new.control_room, 'expiresAt', nullif(new.expires_at, 'infinity')));
  elsif tg_op = 'UPDATE' and old.revoked_at is null and new.revoked_at is not null
    and to_jsonb(new) - array['revoked_at', 'revoked_by', 'revoked_because']
      = to_jsonb(old) - array['revoked_at', 'revoked_by', 'revoked_because'] then
    perform audit_write('system', 'token_revoked', null, jsonb_build_object('token', new.name,
      'controlRoom', new.control_room, 'revokedAt', new.revoked_at));
  elsif tg_op = 'UPDATE' and new.name = old.name and new.control_room is not distinct from old.control_room then
    perform audit_write('system', case when old.revoked_at is not null and new.revoked_at is null then 'token_restored'
      else 'token_changed' end, null, jsonb_build_object('token', new.name,
      'controlRoom', new.control_room, 'change', audit_difference(to_jsonb(old), to_jsonb(new))));
  else
    perform audit_write_altered('system', 'api_token', tg_op, to_jsonb(old), case tg_op when 'UPDATE' then to_jsonb(new) end);
  end if;
  return null;
end
$$;
create constraint trigger write_audit after insert or delete on api_token deferrable initially deferred
  for each row execute function audit_api_token();
create constraint trigger write_audit_of_update after update on api_token deferrable initially deferred
  for each row when (new.* is distinct from old.*) execute function audit_api_token();
alter table api_token enable always trigger write_audit, enable always trigger write_audit_of_update;

create function audit_epoch() returns trigger
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC'
  set plan_cache_mode = 'force_generic_plan' as $$
declare
  of_epoch constant jsonb := jsonb_build_object('epoch', new.epoch, 'region', new.region);
  -- Only whether its grants wait for the follower has changed, and as servers change that.
  protects constant boolean := tg_op = 'UPDATE' and new.unprotected_since is null
    and to_jsonb(new) - 'unprotected_since'
      = to_jsonb(old) - 'unprotected_since' || jsonb_build_object('protection_changes', old.protection_changes + 1);
  unprotects constant boolean := tg_op = 'UPDATE' and old.unprotected_since is null and new.unprotected_since is not null
    and to_jsonb(new) - 'unprotected_since' = to_jsonb(old) - 'unprotected_since';
begin
  if tg_op = 'INSERT' then
    perform audit_write('system', case when new.opened_at is null then 'epoch_closed' else 'epoch_opened' end,
      case when new.opened_at is not null then new.opened_by end, of_epoch);
  elsif tg_op = 'UPDATE' and old.closed_at is null and new.closed_at is not null
    and (new.epoch, new.region, new.opened_at, new.opened_by) = (old.epoch, old.region, old.opened_at, old.opened_by) then
    perform audit_write('system', 'epoch_closed', null, of_epoch);
  elsif unprotects then
    perform audit_write('system', 'epoch_unprotected', null, of_epoch || jsonb_build_object('since', new.unprotected_since));
  elsif protects and old.unprotected_since is not null then
    perform audit_write('system', 'epoch_protected', null, of_epoch || jsonb_build_object('since', old.unprotected_since));
  elsif not protects or audit_foreign_role() is not null then
    perform audit_write_altered('system', 'epoch', tg_op, to_jsonb(old), case tg_op when 'UPDATE' then to_jsonb(new) end);
  end if;
  -- Nothing: each server protects the epoch when the follower is back, and another one had done so.
  return null;
end
$$;
create constraint trigger write_audit after insert or delete on epoch deferrable initially deferred
  for each row execute function audit_epoch();
create constraint trigger write_audit_of_update after update on epoch deferrable initially deferred
  for each row when (new.* is distinct from old.*) execute function audit_epoch();
alter table epoch enable always trigger write_audit, enable always trigger write_audit_of_update;

-- A table that is emptied at one stroke. A truncation cannot be deferred.
create function audit_truncated() returns trigger
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC'
  set plan_cache_mode = 'force_generic_plan' as $$
begin
  perform audit_write('system', 'altered', null, jsonb_build_object('table', tg_table_name, 'operation', 'truncate'));
  return null;
end
$$;

do $$
declare
  watched text;
begin
  foreach watched in array array['lease', 'pool', 'reservation', 'queue_place', 'license', 'control_room', 'api_token', 'epoch'] loop
    execute format('create trigger write_audit_of_truncate after truncate on %I for each statement execute function audit_truncated()', watched);
    execute format('alter table %I enable always trigger write_audit_of_truncate', watched);
  end loop;
end
$$;

-- WHAT NO TABLE SHOWS --------------------------------------------------------------------------------------------------

-- Denials, told by the server in the transaction that decided them; the pool is locked by then.
-- Each: {code, lease, holder, seats, actor, controlRoom, identity, seatsFree}; all but the code may be left out.
create function evergrant_audit_denials(of_pool bigint, denials jsonb) returns void
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC'
  set plan_cache_mode = 'force_generic_plan' as $$
declare
  of_chain constant text := audit_pool_chain(of_pool);
  bodies json[];
  actors text[];
  moment timestamptz;
begin
  select array_agg(jsonb_strip_nulls(jsonb_build_object('code', denial -> 'code', 'lease', denial -> 'lease',
        'holder', denial -> 'holder', 'seats', denial -> 'seats', 'seatsFree', denial -> 'seatsFree',
        'controlRoom', denial -> 'controlRoom', 'identity', denial -> 'identity', 'sqlRole', audit_foreign_role()))::json order by n),
      array_agg(audit_actor(denial ->> 'actor') order by n)
    into bodies, actors
    from jsonb_array_elements(denials) with ordinality as each_denial (denial, n);
  if bodies is null then return; end if;
  moment := audit_append(of_chain, array_fill('denied'::text, array[cardinality(bodies)]), actors, bodies);
  insert into audit_denials as counted (chain, day, code, denials, seats_asked)
    select of_chain, (moment at time zone 'UTC')::date, body ->> 'code', count(*), coalesce(sum((body ->> 'seats')::bigint), 0)
    from unnest(bodies) as body group by body ->> 'code'
    on conflict (day, chain, code) do update
      set denials = counted.denials + excluded.denials, seats_asked = counted.seats_asked + excluded.seats_asked;
end
$$;

-- A checkpoint knows an event of an earlier epoch that this database lacks, because it was lost with a region. Appends
-- `audit_gap` once, so that the loss is declared; to `system` when the whole chain is missing. Returns
--  complete: nothing is missing;  declared: now;  declared_before;
--  contradicted: an event of that epoch and era stands there, and it is another one. That is no loss, and it stays to be found.
create function evergrant_audit_gap(lost_chain text, lost_epoch bigint, lost_era bigint, lost_seq bigint, lost_hash text,
                                    lost_checkpoint text) returns text language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC'
  set plan_cache_mode = 'force_generic_plan' as $$
declare
  in_chain constant text := coalesce((select chain from audit_chain where chain = lost_chain for update), 'system');
  present audit_event;
  last_seq bigint;
begin
  perform from audit_chain where chain = in_chain for update;
  if lost_epoch >= coalesce((select max(epoch) from epoch where opened_at is not null), 0) then
    raise exception 'epoch % goes on: nothing of it can be lost', lost_epoch using errcode = 'EG073';
  end if;
  select * into present from audit_event where chain = lost_chain and seq = lost_seq;
  if present.epoch <= lost_epoch and present.era <= lost_era then
    return case when encode(present.hash, 'hex') = lost_hash then 'complete' else 'contradicted' end;
  end if;
  if exists (select from audit_event where chain = in_chain and kind = 'audit_gap' and body ->> 'chain' = lost_chain
             and (body ->> 'epoch')::bigint = lost_epoch and (body ->> 'era')::bigint = lost_era
             and (body ->> 'checkpointSeq')::bigint >= lost_seq) then
    return 'declared_before';
  end if;
  select coalesce(max(seq), 0) into last_seq from audit_event
    where chain = lost_chain and epoch <= lost_epoch and era <= lost_era;
  perform audit_append(in_chain, array['audit_gap'], array[audit_actor(null)], array[json_object('chain': lost_chain,
    'epoch': lost_epoch, 'era': lost_era, 'lastSeq': last_seq, 'checkpointSeq': lost_seq, 'checkpointHash': lost_hash, 'checkpoint': lost_checkpoint
    returning json)]);
  return 'declared';
end
$$;

-- WHAT REPORTS AND CHECKS LOOK FOR -------------------------------------------------------------------------------------

-- Leases that ended, in classes of how long they were held (less than 2 ^ class milliseconds): who held seats at a moment
-- is found by looking, in each class, no further than its length after that moment.
create index audit_event_held on audit_event ((ceil(ln((body ->> 'heldMs')::float8 + 1) / ln(2::float8))::smallint), at)
  where kind in ('lease_released', 'lease_forced', 'lease_expired', 'lease_disconnected', 'altered');
create index audit_event_gaps on audit_event (chain) where kind = 'audit_gap';
create index audit_event_at on audit_event using brin (at);

-- Where to begin reading a chain for what happened from a moment on: no later than there, found by halving. It begins
-- an hour early, because a clock may have been set back.
create function evergrant_audit_first_seq(of_chain text, moment timestamptz) returns bigint
  language plpgsql stable set search_path = pg_catalog, public, pg_temp as $$
declare
  before bigint := 0;
  reached bigint;
  middle bigint;
begin
  select seq + 1 into reached from audit_chain where chain = of_chain;
  while reached - before > 1 loop
    middle := (before + reached) / 2;
    if (select at from audit_event where chain = of_chain and seq = middle) >= moment - interval '1 hour' then
      reached := middle;
    else
      before := middle;
    end if;
  end loop;
  return reached;
end
$$;

-- WHAT IS THERE ALREADY -------------------------------------------------------------------------------------------------

do $$
declare
  found pool;
begin
  for found in select * from pool order by id loop
    insert into audit_chain (chain) values (audit_pool_chain(found.id));
    perform audit_write(audit_pool_chain(found.id), 'pool_found', null, jsonb_build_object('license', found.license_id,
      'product', found.product, 'feature', found.feature, 'seats', found.seats, 'escrow', found.escrow,
      'leaseTtlSeconds', found.lease_ttl_seconds), found.seats_taken - found.seats_over);
    perform audit_append(audit_pool_chain(found.id), array_agg('lease_found'::text order by seq, id),
        array_agg(audit_actor(null) order by seq, id),
        array_agg(json_object('lease': id, 'holder': holder, 'seats': seats, 'grantedAt': granted_at,
          'seatsTaken': found.seats_taken - found.seats_over returning json) order by seq, id))
      from lease where pool_id = found.id and state = 'live' having count(*) > 0;
  end loop;
end
$$;

-- The functions that write are for the triggers alone; grants.sql names the two that servers may call.
do $$
declare
  of_audit regprocedure;
begin
  for of_audit in select oid::regprocedure from pg_proc
    where pronamespace = 'public'::regnamespace and proname ~ '^(evergrant_)?audit_' loop
    execute format('revoke execute on function %s from public', of_audit);
  end loop;
end
$$;
