-- What the failover controller and its operators did stands in the authority store, away from both regions. The servers of
-- the active region bring it into the audit log too, entry by entry, so that an auditor needs one log.

create table audit_controller_history (
  singleton boolean primary key default true check (singleton),
  -- The newest entry that the log has. A lost tail takes both along: what is missing is brought in once more.
  newest_entry bigint not null default 0
);
insert into audit_controller_history default values;

-- Appends the entries that the log does not have yet; each once, in their order. Resolves to how many.
create function evergrant_audit_controller_history(entries jsonb) returns integer
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC' as $$
declare
  known bigint;
  kinds text[];
  actors text[];
  bodies json[];
  newest bigint;
begin
  select newest_entry into known from audit_controller_history for update;
  select array_agg('controller_' || replace(kind, '-', '_') order by id),
      array_agg(coalesce(nullif(detail ->> 'by', ''), 'controller') order by id),
      array_agg(json_object('entry': id, 'at': to_timestamp(at_ms / 1000.0), 'detail': detail,
        'sqlRole': audit_foreign_role() absent on null returning json) order by id),
      max(id)
    into kinds, actors, bodies, newest
    from jsonb_to_recordset(entries) as entry (id bigint, at_ms float8, kind text, detail jsonb)
    where id > known;
  if newest is null then return 0; end if;
  perform audit_append('system', kinds, actors, bodies);
  update audit_controller_history set newest_entry = newest;
  return cardinality(kinds);
end
$$;
revoke execute on function evergrant_audit_controller_history(jsonb) from public;
