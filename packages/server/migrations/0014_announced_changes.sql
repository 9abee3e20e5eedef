-- Changes that the follower has before they take effect: imports that widen a license, and leases that are ended while
-- their holders still have a token. Only additions: servers of the release before go on working.

alter table lease
  -- The lease is being ended against its holder's will. It is not renewed; its seats stay taken until the follower has
  -- this mark, or until the lease expires.
  add column ending_since timestamptz;
create index lease_ending on lease (pool_id) where state = 'live' and ending_since is not null;

-- A verified license file that widens what is in force. It takes effect when the follower has this row. After the loss of
-- the region the next epoch opens with it, because it may have been in force there.
create table pending_import (
  license_id text primary key,
  issue integer not null check (issue >= 1),
  document jsonb not null,
  file text not null,
  importer text not null,
  announced_at timestamptz not null default clock_timestamp()
);

-- What a document would widen, in words for an operator; empty when every term stays or narrows.
create function evergrant_widened_terms(signed_document jsonb) returns text[]
  language sql stable security definer set search_path = pg_catalog, pg_temp as $$
  select coalesce(array_agg(term order by place, term), '{}') from (
    select 1 as place, 'a new license' as term
    where not exists (select from public.license where id = signed_document->>'licenseId')
    union all
    select 2, 'the start of validity' from public.license known
    where id = signed_document->>'licenseId' and (signed_document->>'validFrom')::timestamptz < known.valid_from
    union all
    select 3, 'the end of validity' from public.license known
    where id = signed_document->>'licenseId' and (signed_document->>'validUntil')::timestamptz > known.valid_until
    union all
    select 4, widened.term || ' of ' || wanted.feature
    from public.evergrant_entitlements(signed_document) wanted
    join public.license on license.id = signed_document->>'licenseId'
    left join public.pool known on known.license_id = license.id and known.feature = wanted.feature
      and known.product = signed_document->>'product'
    cross join lateral (values
      ('seats', wanted.seats > coalesce(known.seats, 0)),
      ('overdraft', wanted.overdraft > coalesce(known.overdraft, 0)),
      ('escrow', wanted.escrow > coalesce(known.escrow, 0)),
      ('lease TTL', wanted.lease_ttl_seconds > coalesce(known.lease_ttl_seconds, 0)),
      ('maximum borrow duration', wanted.borrow_seconds_max > coalesce(known.borrow_seconds_max, 0))
    ) widened (term, is_wider)
    where widened.is_wider
  ) terms
$$;

create function evergrant_announce_import(signed_document jsonb, signed_file text, importer text) returns void
  language sql security definer set search_path = pg_catalog, pg_temp as $$
  insert into public.pending_import as pending (license_id, issue, document, file, importer)
  values (signed_document->>'licenseId', (signed_document->>'issue')::integer, signed_document, signed_file, importer)
  on conflict (license_id) do update set issue = excluded.issue, document = excluded.document, file = excluded.file,
    importer = excluded.importer, announced_at = excluded.announced_at
  where pending.issue <= excluded.issue
$$;

-- Brings every announced import into force; one that is refused, or fails, is dropped. Answers how many were imported.
create function evergrant_apply_pending_imports() returns integer
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  pending record;
  applied integer := 0;
begin
  for pending in select * from public.pending_import order by license_id loop
    begin
      if public.evergrant_import_license(pending.document, pending.file, pending.importer)->>'outcome' = 'imported' then
        applied := applied + 1;
      end if;
    exception when others then
      raise warning 'the announced import of license % failed: %', pending.license_id, sqlerrm;
    end;
    delete from public.pending_import where license_id = pending.license_id;
  end loop;
  return applied;
end
$$;

-- The triggers on lease name functions without their schema, so the search path includes it.
create function evergrant_end_leases_with_license(ending_license text, ends_at timestamptz) returns jsonb
  language plpgsql set search_path = pg_catalog, public, pg_temp as $$
declare
  leases_cut integer;
  borrowed jsonb;
begin
  update lease set expires_at = ends_at
  from pool
  where pool.id = lease.pool_id and pool.license_id = ending_license and lease.state = 'live' and not lease.borrowed
    and lease.expires_at > ends_at;
  get diagnostics leases_cut = row_count;
  select jsonb_agg(jsonb_build_object('leaseId', outlasting.id, 'feature', outlasting.feature,
    'holder', outlasting.holder, 'seats', outlasting.seats,
    'expiresAt', to_char(outlasting.expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
    order by outlasting.expires_at desc, outlasting.id)
  into borrowed
  from (
    select lease.id, pool.feature, lease.holder, lease.seats, lease.expires_at
    from lease join pool on pool.id = lease.pool_id
    where pool.license_id = ending_license and lease.state = 'live' and lease.borrowed and lease.expires_at > ends_at
    order by lease.expires_at desc, lease.id limit 1000
  ) outlasting;
  return jsonb_build_object('leasesCut', leases_cut, 'borrowedBeyond', coalesce(borrowed, '[]'::jsonb));
end
$$;

-- As before. Besides, an import that ends a license earlier ends its leases with it (leasesCut), and names the borrowed ones
-- that last longer (borrowedBeyond, 1000 at most): a borrow keeps its end, for its holder may be offline.
create or replace function evergrant_import_license(signed_document jsonb, signed_file text, importer text) returns jsonb
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  wanted_id text := signed_document->>'licenseId';
  wanted_issue integer := (signed_document->>'issue')::integer;
  -- The text of a jsonb does not depend on the order in which its members were written.
  wanted_sha256 bytea := sha256(convert_to(signed_document::text, 'UTF8'));
  known public.license;
  shrunk jsonb;
  changes integer;
  valid_until_wanted timestamptz := (signed_document->>'validUntil')::timestamptz;
  ended jsonb := '{"leasesCut": 0, "borrowedBeyond": []}';
begin
  perform set_config('evergrant.actor', importer, true),
    set_config('evergrant.reason', format('import of issue %s', wanted_issue), true);
  -- One import at a time: a license that is new has no row to lock yet.
  perform pg_advisory_xact_lock(7303014003);
  perform 1 from public.pool where license_id = wanted_id order by id for update;
  select * into known from public.license where id = wanted_id for update;

  -- What was provisioned without a file may become any license.
  if known.file is not null then
    if wanted_issue < known.version then
      return jsonb_build_object('outcome', 'license_replayed', 'issueInForce', known.version);
    elsif wanted_issue = known.version and known.document_sha256 is distinct from wanted_sha256 then
      return jsonb_build_object('outcome', 'license_issue_reused', 'issueInForce', known.version);
    elsif signed_document->>'kind' <> known.kind then
      return jsonb_build_object('outcome', 'license_kind_changed', 'kindInForce', known.kind);
    end if;
  end if;
  if exists (select from public.license
             where id <> wanted_id and license_key_sha256 = decode(signed_document->>'licenseKeySha256', 'hex')) then
    return jsonb_build_object('outcome', 'license_key_in_use');
  end if;
  shrunk := public.evergrant_pools_shrunk_below_use(signed_document);
  if shrunk is not null then
    return jsonb_build_object('outcome', 'license_shrinks_below_use', 'pools', shrunk);
  end if;

  changes := public.evergrant_write_license(signed_document, wanted_sha256, signed_file, importer)
    + public.evergrant_write_pools(signed_document)
    + public.evergrant_write_reservations(signed_document);
  delete from public.pending_import where license_id = wanted_id and issue <= wanted_issue;

  if known.valid_until > valid_until_wanted then
    ended := public.evergrant_end_leases_with_license(wanted_id, valid_until_wanted);
  end if;
  return jsonb_build_object('outcome', case changes when 0 then 'unchanged' else 'imported' end) || ended;
end
$$;

do $$
declare
  ours regprocedure;
begin
  for ours in
    select oid::regprocedure from pg_proc
    where pronamespace = 'public'::regnamespace
      and proname in ('evergrant_widened_terms', 'evergrant_announce_import', 'evergrant_apply_pending_imports',
        'evergrant_end_leases_with_license')
  loop
    execute format('revoke execute on function %s from public', ours);
  end loop;
end
$$;
