-- The authority store: which region may grant, and the controllers' records. In the local cluster this database
-- replaces the DynamoDB global table. Every statement is idempotent.

create table if not exists authority (
  singleton    boolean primary key default true check (singleton),
  epoch        bigint not null check (epoch > 0),
  region       text not null check (region in ('oregon', 'virginia')),
  operation_id text,
  latched_at   timestamptz not null,
  -- Null: latched but not open. No server may grant in this epoch yet.
  opens_at     timestamptz,
  -- Upper bound of the expiry of every proof of the earlier epochs. Null until the epoch opens.
  lapsed_at    timestamptz,
  -- A latch keeps these two columns. They hold the last renewal by the region that lost its epoch.
  renewed_at   timestamptz,
  renewed_by   text
);

-- Upgrades a store of the previous release.
alter table authority add column if not exists lapsed_at timestamptz;
-- The last epoch that granted without waiting for a follower, and the time of its last write. A latch keeps these
-- columns too: the next epoch holds back every free seat.
alter table authority
  add column if not exists unprotected_epoch bigint,
  add column if not exists unprotected_since timestamptz;

create table if not exists control (
  singleton boolean primary key default true check (singleton),
  version bigint not null,
  record  jsonb not null
);

create table if not exists history (
  id     bigint generated always as identity primary key,
  at     timestamptz not null default clock_timestamp(),
  kind   text not null,
  detail jsonb not null
);

-- The epoch only grows, and an open epoch never moves. The trigger also applies to manual statements.
create or replace function authority_only_grows() returns trigger language plpgsql as $$
begin
  if new.epoch < old.epoch then
    raise exception 'epoch % is older than %', new.epoch, old.epoch;
  end if;
  if new.epoch = old.epoch and (new.region <> old.region or old.opens_at is not null and new.opens_at is distinct from old.opens_at) then
    raise exception 'epoch % is %''s, and opens at %', old.epoch, old.region, old.opens_at;
  end if;
  return new;
end
$$;

create or replace trigger authority_only_grows before update on authority
  for each row execute function authority_only_grows();

create or replace function history_stays() returns trigger language plpgsql as $$
begin
  raise exception 'the history is append-only';
end
$$;

create or replace trigger history_stays before update or delete on history
  for each row execute function history_stays();

grant usage on schema public to evergrant_server, evergrant_controller;
grant select, update (renewed_at, renewed_by, unprotected_epoch, unprotected_since) on authority to evergrant_server;
grant select, update (epoch, region, operation_id, latched_at, opens_at, lapsed_at) on authority to evergrant_controller;
grant select, update on control to evergrant_controller;
grant select, insert on history to evergrant_controller;
-- Actions of controllers and operators belong in the audit log too. The granting server copies them there.
grant select on history to evergrant_server;
