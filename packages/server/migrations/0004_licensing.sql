-- Licenses in full: what a license file says, Control Rooms, reservations, the queue, and what a lease may be besides
-- held. Only additions: servers of the release before go on working beside it while the new ones roll in.

alter table license
  add column kind text not null default 'cloud' check (kind in ('cloud', 'guid', 'redundant')),
  -- The issue number of the license file; an import never lowers it.
  add column version integer not null default 1 check (version >= 1),
  -- A Control Room registers with the license key; whoever reads the table cannot.
  add column license_key_sha256 bytea unique check (length(license_key_sha256) = 32),
  add column valid_from timestamptz not null default '-infinity',
  add column valid_until timestamptz not null default 'infinity',
  -- The one Control Room that a license of kind guid belongs to.
  add column control_room uuid,
  -- The three servers that a license of kind redundant is dedicated to, as region/name.
  add column servers text[] not null default '{}',
  -- A Control Room that reaches no server: works without limits for grace, then fail-safe, then suspended.
  add column grace_seconds integer not null default 172800 check (grace_seconds >= 0),
  add column suspend_after_seconds integer not null default 2592000 check (suspend_after_seconds >= 0),
  -- The signed file as it was imported. Null: provisioned before there were license files.
  add column file text,
  add column imported_at timestamptz,
  add column imported_by text,
  add constraint license_guid_names_its_control_room check ((kind = 'guid') = (control_room is not null)),
  add constraint license_redundant_names_three_servers check (cardinality(servers) = case kind when 'redundant' then 3 else 0 end);

alter table pool
  drop constraint pool_product_feature_key,
  add constraint pool_of_entitlement unique (license_id, product, feature),
  -- Seats that may be taken beyond those sold; each such grant is told.
  add column overdraft integer not null default 0 check (overdraft >= 0),
  -- How long seats may be borrowed for offline use; 0: not at all.
  add column borrow_seconds_max integer not null default 0 check (borrow_seconds_max >= 0),
  -- What becomes of a session's leases when its socket closes unasked.
  add column on_disconnect text not null default 'keep' check (on_disconnect in ('keep', 'release')),
  -- Numbers the places of the queue, in the order of their arrival.
  add column queue_seq bigint not null default 0,
  drop constraint pool_never_oversold,
  add constraint pool_never_oversold check (seats_taken + seats_held_back <= seats + overdraft + seats_over);
create index pool_by_feature on pool (product, feature);

-- As before, but what may be taken includes the overdraft.
create or replace function pool_count_change(pool_changed bigint, delta bigint) returns void language sql as $$
  update pool
  set seats_taken = seats_taken + delta,
      seats_over = case when delta < 0 then least(seats_over, greatest(0, seats_taken + delta - seats - overdraft))
                        else seats_over end,
      seats_held_back = case when delta < 0 then least(seats_awaited, greatest(0, seats + overdraft - seats_taken - delta))
                             else seats_held_back end
  where id = pool_changed
$$;

create table control_room (
  id uuid primary key,
  license_id text not null references license,
  name text not null,
  -- Reservations may be for a group of Control Rooms.
  group_name text,
  state text not null default 'active' check (state in ('active', 'fail_safe', 'suspended')),
  state_since timestamptz not null default clock_timestamp(),
  registered_at timestamptz not null default clock_timestamp(),
  last_heartbeat_at timestamptz not null default clock_timestamp(),
  -- Set by an administrator after the Control Room was destroyed: until then it may register once more.
  recoverable_until timestamptz
);
create index control_room_by_license on control_room (license_id);

alter table api_token
  -- A token of a Control Room acts for that Control Room alone, within its license.
  add column control_room uuid references control_room,
  add column created_at timestamptz not null default clock_timestamp(),
  add column created_by text,
  add column expires_at timestamptz not null default 'infinity',
  add column revoked_at timestamptz;
create index api_token_by_control_room on api_token (control_room) where control_room is not null;

-- Seats that only one Control Room, or one group, may take.
create table reservation (
  pool_id bigint not null references pool,
  control_room uuid,
  group_name text,
  seats integer not null check (seats >= 1),
  -- Reservations of the license file are replaced by its next import; an administrator's are kept.
  source text not null check (source in ('license_file', 'administrator')),
  check ((control_room is null) <> (group_name is null)),
  unique nulls not distinct (pool_id, control_room, group_name)
);

alter table lease
  -- Null: taken with a token that belongs to no Control Room.
  add column control_room uuid,
  -- A stable name of the holding installation: the same one gets its live lease back instead of a second seat.
  add column identity text,
  add column borrowed boolean not null default false,
  -- The name of the API token it was taken with.
  add column granted_by text,
  add column ended_by text,
  add column ended_because text;
create index lease_live_by_identity on lease (pool_id, identity) where state = 'live' and identity is not null;
create index lease_live_by_control_room on lease (control_room) where state = 'live' and control_room is not null;

-- Seats taken by each Control Room, kept by the triggers on lease alone.
create table control_room_use (
  pool_id bigint not null references pool,
  control_room uuid not null,
  seats_taken integer not null check (seats_taken >= 0),
  primary key (pool_id, control_room)
) with (fillfactor = 50);

-- A place in the line for seats of a pool. It lapses unless its holder asks again in time.
create table queue_place (
  lease_id uuid primary key,
  pool_id bigint not null references pool,
  number bigint not null,
  holder text not null,
  seats integer not null check (seats >= 1),
  control_room uuid,
  identity text,
  requested_by text,
  enqueued_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null
);
create index queue_place_in_order on queue_place (pool_id, number);
