-- The authority store: who may grant, and what the controllers remember. It stands where the two-region world has no
-- DynamoDB global table. Every statement may be run again.

create table if not exists authority (
  singleton    boolean primary key default true check (singleton),
  epoch        bigint not null check (epoch > 0),
  region       text not null check (region in ('oregon', 'virginia')),
  operation_id text,
  latched_at   timestamptz not null,
  -- Null: latched and not open; nobody may grant in this epoch yet.
  opens_at     timestamptz,
  -- By then every proof of the epochs before had lapsed. Null: until the opening.
  lapsed_at    timestamptz,
  -- A latch keeps these two: they say when the region that lost its epoch last renewed it.
  renewed_at   timestamptz,
  renewed_by   text
);

-- A store of the release before.
alter table authority add column if not exists lapsed_at timestamptz;
-- The last epoch that granted without waiting for a follower, and when that was written last. A latch keeps these too:
-- the epoch that opens next holds back every free seat.
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

-- An epoch only grows, and what is open is never moved: also for whoever comes here by hand.
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
  raise exception 'the history is only added to';
end
$$;

create or replace trigger history_stays before update or delete on history
  for each row execute function history_stays();

grant usage on schema public to evergrant_server, evergrant_controller;
grant select, update (renewed_at, renewed_by, unprotected_epoch, unprotected_since) on authority to evergrant_server;
grant select, update (epoch, region, operation_id, latched_at, opens_at, lapsed_at) on authority to evergrant_controller;
grant select, update on control to evergrant_controller;
grant select, insert on history to evergrant_controller;
-- What the controllers and the operators did belongs in the audit log too; who grants brings it there.
grant select on history to evergrant_server;
