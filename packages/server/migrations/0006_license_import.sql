-- The one way in which licenses, and with them seats, come into the database.

alter table license
  -- Tells whether two files of one issue say the same.
  add column document_sha256 bytea check (length(document_sha256) = 32),
  -- The last warning told before the end of validity, in days: 30, 7 or 0. Whoever writes it tells it.
  add column expiry_told_days integer;

-- Makes the rows say what a verified license document says. Whoever may call it could sell seats, were it not that
-- servers compare the rows with the signed file before they grant.
--
-- The document is complete (packages/formats/src/license/document.ts); the file is kept beside it. Answers {outcome: 'imported'},
-- 'unchanged' (the rows said so already), or why nothing was changed:
--   license_replayed           a later issue is in force (issueInForce)
--   license_issue_reused       another document was imported under this issue
--   license_kind_changed       the kind of a license is for good (kindInForce)
--   license_key_in_use         another license has the same license key
--   license_shrinks_below_use  seats that it takes away are in use, held back or reserved (pools)
create function evergrant_import_license(signed_document jsonb, signed_file text, importer text) returns jsonb
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  wanted_id text := signed_document->>'licenseId';
  wanted_issue integer := (signed_document->>'issue')::integer;
  -- The text of a jsonb does not depend on the order in which its members were written.
  wanted_sha256 bytea := sha256(convert_to(signed_document::text, 'UTF8'));
  known public.license;
  shrunk jsonb;
  changes integer;
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
  return jsonb_build_object('outcome', case changes when 0 then 'unchanged' else 'imported' end);
end
$$;

create function evergrant_entitlements(signed_document jsonb)
  returns table (feature text, seats integer, overdraft integer, escrow integer, lease_ttl_seconds integer,
    borrow_seconds_max integer, on_disconnect text, reservations jsonb)
  language sql immutable set search_path = pg_catalog, pg_temp as $$
  select feature, seats, overdraft, escrow, "leaseTtlSeconds", "borrowSecondsMax", "onDisconnect", reservations
  from jsonb_to_recordset(signed_document->'entitlements') as entitlement (
    feature text, seats integer, overdraft integer, escrow integer, "leaseTtlSeconds" integer,
    "borrowSecondsMax" integer, "onDisconnect" text, reservations jsonb)
$$;

-- Pools of the license that would have fewer seats than are needed. Leases whose time has passed count until a server
-- with authority has ended them: after the loss of a region they may have been renewed (S4).
create function evergrant_pools_shrunk_below_use(signed_document jsonb) returns jsonb
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select jsonb_agg(jsonb_build_object('product', product, 'feature', feature, 'seats', seats_wanted,
    'overdraft', overdraft_wanted, 'inUse', in_use, 'heldBack', held_back, 'reserved', reserved) order by feature)
  from (
    select pool.product, pool.feature, pool.seats_taken - pool.seats_over as in_use, pool.seats_held_back as held_back,
      pool.seats + pool.overdraft as seats_now,
      coalesce(wanted.seats, 0) as seats_wanted, coalesce(wanted.overdraft, 0) as overdraft_wanted,
      -- An administrator's reservations outlive an import; the file's own come with it.
      (select coalesce(sum(seats), 0) from public.reservation
       where pool_id = pool.id and source = 'administrator') as reserved,
      (select coalesce(sum((each->>'seats')::bigint), 0)
       from jsonb_array_elements(wanted.reservations) each) as reserved_by_file
    from public.pool
    left join public.evergrant_entitlements(signed_document) wanted
      on wanted.feature = pool.feature and pool.product = signed_document->>'product'
    where pool.license_id = signed_document->>'licenseId'
  ) each_pool
  where (seats_wanted::bigint + overdraft_wanted < seats_now and in_use + held_back > seats_wanted::bigint + overdraft_wanted)
    or (reserved > 0 and reserved + reserved_by_file > seats_wanted)
$$;

-- Each of these writes what differs and answers how many rows that were.

create function evergrant_write_license(signed_document jsonb, sha256 bytea, signed_file text, importer text)
  returns integer language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  written integer;
begin
  insert into public.license as known (id, customer, product, kind, version, license_key_sha256, valid_from, valid_until,
    control_room, servers, grace_seconds, suspend_after_seconds, document_sha256, file, imported_at, imported_by)
  values (signed_document->>'licenseId', signed_document->>'customer', signed_document->>'product',
    signed_document->>'kind', (signed_document->>'issue')::integer,
    decode(signed_document->>'licenseKeySha256', 'hex'),
    (signed_document->>'validFrom')::timestamptz, (signed_document->>'validUntil')::timestamptz,
    (signed_document->>'controlRoom')::uuid,
    coalesce(array(select jsonb_array_elements_text(signed_document->'servers')), '{}'),
    (signed_document#>>'{policy,graceSeconds}')::integer, (signed_document#>>'{policy,suspendAfterSeconds}')::integer,
    sha256, signed_file, clock_timestamp(), importer)
  on conflict (id) do update set
    customer = excluded.customer, product = excluded.product, kind = excluded.kind, version = excluded.version,
    license_key_sha256 = excluded.license_key_sha256, valid_from = excluded.valid_from,
    valid_until = excluded.valid_until, control_room = excluded.control_room, servers = excluded.servers,
    grace_seconds = excluded.grace_seconds, suspend_after_seconds = excluded.suspend_after_seconds,
    document_sha256 = excluded.document_sha256, file = excluded.file, imported_at = excluded.imported_at,
    imported_by = excluded.imported_by,
    expiry_told_days = case when known.valid_until = excluded.valid_until then known.expiry_told_days end
  where (known.customer, known.product, known.kind, known.version, known.license_key_sha256, known.valid_from,
      known.valid_until, known.control_room, known.servers, known.grace_seconds, known.suspend_after_seconds,
      known.document_sha256, known.file)
    is distinct from (excluded.customer, excluded.product, excluded.kind, excluded.version,
      excluded.license_key_sha256, excluded.valid_from, excluded.valid_until, excluded.control_room, excluded.servers,
      excluded.grace_seconds, excluded.suspend_after_seconds, excluded.document_sha256, excluded.file);
  get diagnostics written = row_count;
  return written;
end
$$;

create function evergrant_write_pools(signed_document jsonb) returns integer
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  written integer;
  withdrawn integer;
begin
  insert into public.pool as known (license_id, product, feature, seats, overdraft, escrow, lease_ttl_seconds,
    borrow_seconds_max, on_disconnect)
  select signed_document->>'licenseId', signed_document->>'product', feature, seats, overdraft, escrow,
    lease_ttl_seconds, borrow_seconds_max, on_disconnect
  from public.evergrant_entitlements(signed_document)
  order by feature
  on conflict (license_id, product, feature) do update set
    seats = excluded.seats, overdraft = excluded.overdraft, escrow = excluded.escrow,
    lease_ttl_seconds = excluded.lease_ttl_seconds, borrow_seconds_max = excluded.borrow_seconds_max,
    on_disconnect = excluded.on_disconnect
  where (known.seats, known.overdraft, known.escrow, known.lease_ttl_seconds, known.borrow_seconds_max,
      known.on_disconnect)
    is distinct from (excluded.seats, excluded.overdraft, excluded.escrow, excluded.lease_ttl_seconds,
      excluded.borrow_seconds_max, excluded.on_disconnect);
  get diagnostics written = row_count;

  -- What this issue does not entitle to any more. The row stays: leases of the past belong to it.
  update public.pool set seats = 0, overdraft = 0
  where license_id = signed_document->>'licenseId' and (seats <> 0 or overdraft <> 0)
    and not (product = signed_document->>'product'
      and feature in (select wanted.feature from public.evergrant_entitlements(signed_document) wanted));
  get diagnostics withdrawn = row_count;
  return written + withdrawn;
end
$$;

create function evergrant_reservations(signed_document jsonb)
  returns table (pool_id bigint, control_room uuid, group_name text, seats integer)
  language sql stable set search_path = pg_catalog, pg_temp as $$
  select pool.id, (each->>'controlRoom')::uuid, each->>'group', (each->>'seats')::integer
  from public.evergrant_entitlements(signed_document) wanted
  join public.pool on pool.license_id = signed_document->>'licenseId'
    and pool.product = signed_document->>'product' and pool.feature = wanted.feature
  cross join jsonb_array_elements(wanted.reservations) each
$$;

-- Reservations of the earlier issue go; an administrator's stay, and go before the file's for the same Control Room.
create function evergrant_write_reservations(signed_document jsonb) returns integer
  language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  removed integer;
  written integer;
begin
  delete from public.reservation known using public.pool
  where pool.id = known.pool_id and pool.license_id = signed_document->>'licenseId' and known.source = 'license_file'
    and not exists (
      select from public.evergrant_reservations(signed_document) wanted
      where (wanted.pool_id, wanted.control_room, wanted.group_name, wanted.seats)
        is not distinct from (known.pool_id, known.control_room, known.group_name, known.seats));
  get diagnostics removed = row_count;
  insert into public.reservation (pool_id, control_room, group_name, seats, source)
  select pool_id, control_room, group_name, seats, 'license_file'
  from public.evergrant_reservations(signed_document)
  order by pool_id
  on conflict (pool_id, control_room, group_name) do nothing;
  get diagnostics written = row_count;
  return removed + written;
end
$$;

do $$
declare
  ours regprocedure;
begin
  for ours in
    select oid::regprocedure from pg_proc
    where pronamespace = 'public'::regnamespace and proname in ('evergrant_import_license', 'evergrant_entitlements',
      'evergrant_pools_shrunk_below_use', 'evergrant_write_license', 'evergrant_write_pools', 'evergrant_reservations',
      'evergrant_write_reservations')
  loop
    execute format('revoke execute on function %s from public', ours);
  end loop;
end
$$;
