-- The three servers of a license of kind redundant: who of them is there, and which one is in control of granting.

-- Each server that a redundant license names says every second, by this database's clock, that it is there.
create table server_presence (
  server text primary key,
  -- Where clients reach this very server.
  address text not null,
  -- In 1970 after a farewell.
  seen_at timestamptz not null
);

-- Control over all licenses with the same servers in the same order; the first is preferred. Taken by compare and set on
-- the term, under the exclusive side of the lock that every granting transaction shares.
create table triad (
  servers text[] primary key check (cardinality(servers) = 3),
  term bigint not null default 0 check (term >= 0),
  -- Null: given up, or never taken.
  in_control text check (in_control = any(servers)),
  -- The last renewal by the server in control; when control was given up, that moment.
  renewed_at timestamptz not null default clock_timestamp(),
  taken_at timestamptz
);

create index license_redundant on license (id) where kind = 'redundant';

-- Who is in control is told like an epoch: each change of hands is an event. A renewal is none.
create function audit_triad() returns trigger
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC'
  set plan_cache_mode = 'force_generic_plan' as $$
declare
  triad constant jsonb := jsonb_build_object('servers', array_to_string(new.servers, ','), 'term', new.term);
begin
  if new.term > old.term and new.in_control is not null then
    perform audit_write('system', 'control_taken', new.in_control, triad || jsonb_build_object('from', old.in_control,
      'vacantMs', floor(extract(epoch from new.renewed_at - old.renewed_at) * 1000)));
  elsif new.term = old.term and new.in_control is null and new.servers = old.servers then
    perform audit_write('system', 'control_given_up', old.in_control, triad);
  else
    perform audit_write_altered('system', 'triad', tg_op, to_jsonb(old), to_jsonb(new));
  end if;
  return null;
end
$$;
create trigger write_audit_of_update after update on triad for each row
  when ((new.servers, new.term, new.in_control) is distinct from (old.servers, old.term, old.in_control))
  execute function audit_triad();

-- Servers enter themselves with nobody in control, and nothing takes them out again.
create function audit_triad_edited() returns trigger
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC'
  set plan_cache_mode = 'force_generic_plan' as $$
begin
  perform audit_write_altered('system', 'triad', tg_op, to_jsonb(old), to_jsonb(new));
  return null;
end
$$;
create trigger write_audit_of_insert after insert on triad for each row
  when (new.term <> 0 or new.in_control is not null)
  execute function audit_triad_edited();
create trigger write_audit_of_delete after delete on triad for each row execute function audit_triad_edited();
create trigger write_audit_of_truncate after truncate on triad for each statement execute function audit_truncated();
alter table triad enable always trigger write_audit_of_update, enable always trigger write_audit_of_insert,
  enable always trigger write_audit_of_delete, enable always trigger write_audit_of_truncate;
