-- Control Rooms register, are recovered and watched over; API tokens come and go. Whatever makes or ends a credential
-- is a function here: the servers' role may call it and cannot do it otherwise.
--
-- Each change says in whose name and why it is made (evergrant.actor, evergrant.reason), for who watches the tables.

alter table api_token
  add column revoked_by text,
  add column revoked_because text,
  add constraint api_token_of_control_room_is_no_admin check (control_room is null or not 'admin' = any(scopes));

alter table control_room
  -- Silence is counted from here: the last heartbeat, moved on by as long as no license server listened; or the end of
  -- what it has taken offline.
  add column silent_since timestamptz not null default clock_timestamp(),
  -- Since when it holds seats beyond those sold; null: it does not.
  add column oversubscribed_since timestamptz,
  -- Why it is in its state.
  add column state_because text not null default 'registered';
create index control_room_by_silence on control_room (silent_since);

-- When license servers last watched over the Control Rooms. While they did not, nobody could be heard: a gap here is
-- silence of ours, and is not counted as theirs. It travels to the other region as everything does, so the heartbeats
-- that were lost with a region are inside the gap.
create table control_room_watch (
  singleton boolean primary key default true check (singleton),
  watched_at timestamptz not null default clock_timestamp()
);
insert into control_room_watch default values;

create function evergrant_speak_as(actor text, reason text) returns void language sql as $$
  select set_config('evergrant.actor', coalesce(actor, ''), true), set_config('evergrant.reason', coalesce(reason, ''), true)
$$;

-- A Control Room registers with its license key, and leaves the hash of a token that it made itself. The same again is
-- the same. `verdict`: registered, known, recovered; or why not: license_key_unknown, license_not_valid,
-- license_of_another_control_room, control_room_registered, token_in_use.
create function evergrant_register_control_room(
  room uuid, license_key_hash bytea, room_name text, room_group text, token_hash bytea,
  out verdict text, out license text, out token_name text
) language plpgsql security definer set search_path = pg_catalog, public as $$
declare
  entitling public.license%rowtype;
  present public.control_room%rowtype;
  held public.api_token%rowtype;
begin
  select * into entitling from public.license where license_key_sha256 = license_key_hash;
  if not found then
    verdict := 'license_key_unknown';
    return;
  end if;
  if entitling.kind = 'guid' and entitling.control_room <> room then
    verdict := 'license_of_another_control_room';
    return;
  end if;
  license := entitling.id;
  if clock_timestamp() < entitling.valid_from or clock_timestamp() >= entitling.valid_until then
    verdict := 'license_not_valid';
    return;
  end if;
  perform public.evergrant_speak_as('control-room ' || room, null);

  insert into public.control_room (id, license_id, name, group_name)
  values (room, entitling.id, room_name, room_group) on conflict (id) do nothing;
  verdict := case when found then 'registered' end;
  select * into present from public.control_room where id = room for update;
  select * into held from public.api_token where token_sha256 = token_hash;
  if held.name is not null then
    token_name := held.name;
    if verdict is not null then
      raise exception 'the token of a new Control Room is in use' using errcode = 'EG002';
    end if;
    verdict := case
      when present.license_id <> entitling.id then 'control_room_registered'
      when held.control_room is distinct from room then 'token_in_use'
      -- A hash that was taken away from the Control Room does not open it again.
      when held.revoked_at is not null or held.expires_at <= clock_timestamp() then 'control_room_registered'
      else 'known' end;
    return;
  end if;
  if verdict is null then
    if present.license_id <> entitling.id
      or coalesce(present.recoverable_until <= clock_timestamp(), true) then
      verdict := 'control_room_registered';
      return;
    end if;
    -- The opening serves one registration; whoever comes out of it counts as heard from.
    update public.control_room
    set recoverable_until = null, name = room_name, last_heartbeat_at = clock_timestamp(), silent_since = clock_timestamp()
    where id = room;
    verdict := 'recovered';
  end if;
  token_name := public.evergrant_add_room_token(room, token_hash, verdict);
exception
  when sqlstate 'EG002' then
    verdict := 'token_in_use';
end
$$;

-- Names the tokens of a Control Room in their order, so that people can tell them apart.
create function evergrant_add_room_token(room uuid, token_hash bytea, because text) returns text
  language sql set search_path = pg_catalog, public as $$
  insert into public.api_token (name, token_sha256, scopes, control_room, created_by)
  select 'control-room ' || room || ' #' || 1 + count(*), token_hash, array['lease', 'read'], room, because
  from public.api_token where control_room = room
  returning name
$$;

-- Another token for a Control Room that still has one: rotation without a gap. Asks for the license key too, so that a
-- stolen token alone makes no further ones. With `retire_after_seconds` the others expire by then.
-- `verdict`: created, known; or license_key_unknown, token_in_use, too_many_tokens.
create function evergrant_rotate_room_token(
  room uuid, license_key_hash bytea, token_hash bytea, retire_after_seconds integer, actor text,
  out verdict text, out token_name text
) language plpgsql security definer set search_path = pg_catalog, public as $$
declare
  tokens_max constant integer := 5;
  held public.api_token%rowtype;
begin
  perform 1 from public.control_room r join public.license l on l.id = r.license_id
    where r.id = room and l.license_key_sha256 = license_key_hash for update of r;
  if not found then
    verdict := 'license_key_unknown';
    return;
  end if;
  select * into held from public.api_token where token_sha256 = token_hash;
  if found then
    token_name := held.name;
    verdict := case when held.control_room is not distinct from room and held.revoked_at is null
      and held.expires_at > clock_timestamp() then 'known' else 'token_in_use' end;
    return;
  end if;
  perform public.evergrant_speak_as(actor, 'rotation');
  if retire_after_seconds is not null then
    update public.api_token
    set expires_at = least(expires_at, clock_timestamp() + make_interval(secs => retire_after_seconds))
    where control_room = room and revoked_at is null;
  end if;
  if tokens_max <= (select count(*) from public.api_token
                    where control_room = room and revoked_at is null and expires_at > clock_timestamp()) then
    raise exception 'too many tokens' using errcode = 'EG003';
  end if;
  token_name := public.evergrant_add_room_token(room, token_hash, actor);
  verdict := 'created';
exception
  when sqlstate 'EG003' then
    verdict := 'too_many_tokens';
end
$$;

-- An administrator's token for anyone. The same again is the same.
-- `verdict`: created, known; or api_token_exists, token_in_use, control_room_not_found.
create function evergrant_create_api_token(
  token_name text, token_hash bytea, token_scopes text[], token_expires_at timestamptz, room uuid, actor text,
  out verdict text
) language plpgsql security definer set search_path = pg_catalog, public as $$
declare
  held public.api_token%rowtype;
begin
  if room is not null and not exists (select from public.control_room where id = room) then
    verdict := 'control_room_not_found';
    return;
  end if;
  perform public.evergrant_speak_as(actor, null);
  insert into public.api_token (name, token_sha256, scopes, expires_at, control_room, created_by)
  values (token_name, token_hash, token_scopes, token_expires_at, room, actor)
  on conflict do nothing;
  if found then
    verdict := 'created';
    return;
  end if;
  select * into held from public.api_token where name = token_name;
  verdict := case
    when held.name is null then 'token_in_use'
    when held.token_sha256 = token_hash and held.scopes = token_scopes and held.expires_at = token_expires_at
      and held.control_room is not distinct from room and held.revoked_at is null then 'known'
    else 'api_token_exists' end;
end
$$;

-- `verdict`: revoked, already_revoked; or api_token_not_found, last_admin_token: nobody could make the next one.
create function evergrant_revoke_api_token(token_name text, actor text, reason text, out verdict text)
  language plpgsql security definer set search_path = pg_catalog, public as $$
declare
  held public.api_token%rowtype;
begin
  -- One after the other: two administrators must not revoke each other as the last ones.
  perform pg_advisory_xact_lock(7303014009);
  select * into held from public.api_token where name = token_name for update;
  if not found then
    verdict := 'api_token_not_found';
  elsif held.revoked_at is not null then
    verdict := 'already_revoked';
  elsif 'admin' = any(held.scopes) and held.expires_at > clock_timestamp() and not exists (
    select from public.api_token where name <> token_name and 'admin' = any(scopes)
      and revoked_at is null and expires_at > clock_timestamp()
  ) then
    verdict := 'last_admin_token';
  else
    perform public.evergrant_speak_as(actor, reason);
    update public.api_token set revoked_at = clock_timestamp(), revoked_by = actor, revoked_because = reason
    where name = token_name;
    verdict := 'revoked';
  end if;
end
$$;

-- A Control Room that was destroyed: its tokens are revoked, and its GUID may register once more until then.
-- `verdict`: opened; or control_room_not_found.
create function evergrant_recover_control_room(
  room uuid, open_for_seconds integer, actor text, reason text,
  out verdict text, out recoverable_until timestamptz, out tokens_revoked bigint
) language plpgsql security definer set search_path = pg_catalog, public as $$
begin
  perform public.evergrant_speak_as(actor, reason);
  update public.control_room c set recoverable_until = clock_timestamp() + make_interval(secs => open_for_seconds)
  where c.id = room returning c.recoverable_until into recoverable_until;
  if not found then
    verdict := 'control_room_not_found';
    return;
  end if;
  update public.api_token set revoked_at = clock_timestamp(), revoked_by = actor, revoked_because = reason
  where control_room = room and revoked_at is null;
  get diagnostics tokens_revoked = row_count;
  verdict := 'opened';
end
$$;

-- Null leaves the group. `verdict`: changed; or control_room_not_found.
create function evergrant_group_control_room(room uuid, new_group text, actor text, reason text, out verdict text)
  language plpgsql security definer set search_path = pg_catalog, public as $$
begin
  perform public.evergrant_speak_as(actor, reason);
  update public.control_room set group_name = new_group where id = room;
  verdict := case when found then 'changed' else 'control_room_not_found' end;
end
$$;

revoke execute on function evergrant_register_control_room(uuid, bytea, text, text, bytea) from public;
revoke execute on function evergrant_add_room_token(uuid, bytea, text) from public;
revoke execute on function evergrant_rotate_room_token(uuid, bytea, bytea, integer, text) from public;
revoke execute on function evergrant_create_api_token(text, bytea, text[], timestamptz, uuid, text) from public;
revoke execute on function evergrant_revoke_api_token(text, text, text) from public;
revoke execute on function evergrant_recover_control_room(uuid, integer, text, text) from public;
revoke execute on function evergrant_group_control_room(uuid, text, text, text) from public;

-- The last defence: whatever the code above it does, no more is reserved than was sold. Judged at the end of a
-- transaction, because an import changes seats and reservations one after the other.
create function reservation_check_sold() returns trigger language plpgsql security definer
  set search_path = pg_catalog, public as $$
declare
  changed constant bigint := case tg_table_name when 'pool' then (to_jsonb(new)->>'id')::bigint
                                                else (to_jsonb(new)->>'pool_id')::bigint end;
begin
  if exists (
    select from public.pool where id = changed
      and seats < (select coalesce(sum(seats), 0) from public.reservation where pool_id = changed)
  ) then
    raise exception 'more seats of pool % are reserved than were sold', changed
      using errcode = 'check_violation', constraint = 'reservation_within_seats';
  end if;
  return null;
end
$$;
create constraint trigger reservation_within_seats after insert or update on reservation
  deferrable initially deferred for each row execute function reservation_check_sold();
create constraint trigger reservation_within_seats after update of seats on pool
  deferrable initially deferred for each row when (new.seats < old.seats) execute function reservation_check_sold();

-- What was lent to offline Control Rooms by files. A request that is brought again is answered with the same response.
create table offline_exchange (
  nonce uuid primary key,
  control_room uuid not null references control_room,
  request_sha256 bytea not null check (length(request_sha256) = 32),
  -- Lease ids follow from it: a try that was given up leaves its ids behind.
  attempt integer not null default 1,
  -- As it was signed.
  response text,
  responded_by text,
  -- When the last of its leases ends.
  lent_until timestamptz,
  -- That the seats were given back, as it was signed.
  receipt text,
  returned_by text,
  check ((response is null) = (lent_until is null)),
  check (receipt is null or response is not null)
);
create index offline_exchange_by_control_room on offline_exchange (control_room);

-- An offline Control Room cannot register. One that is known by a license of its own needs not to: this enters it.
-- `verdict`: known; or control_room_not_found, license_ambiguous, license_not_valid.
create function evergrant_enter_offline_room(
  room uuid, room_name text, actor text,
  out verdict text, out license text
) language plpgsql security definer set search_path = pg_catalog, public as $$
declare
  own text[];
begin
  select license_id into license from public.control_room where id = room;
  if not found then
    select array_agg(id order by id) into own from public.license where kind = 'guid' and control_room = room;
    if own is null then
      verdict := 'control_room_not_found';
      return;
    elsif cardinality(own) > 1 then
      verdict := 'license_ambiguous';
      return;
    end if;
    license := own[1];
    perform public.evergrant_speak_as(actor, 'offline request');
    insert into public.control_room (id, license_id, name) values (room, license, room_name) on conflict do nothing;
  end if;
  verdict := case when exists (
    select from public.license l where l.id = license
      and l.valid_from <= clock_timestamp() and clock_timestamp() < l.valid_until
  ) then 'known' else 'license_not_valid' end;
end
$$;
revoke execute on function evergrant_enter_offline_room(uuid, text, text) from public;
