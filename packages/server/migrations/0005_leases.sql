-- What leases need besides the columns of 0004.

alter table lease
  -- Taken when more seats were held than were sold.
  add column overdraft boolean not null default false;

alter table epoch
  -- Since when grants go without waiting for the follower (S6); null: they wait at the escrow.
  add column unprotected_since timestamptz,
  -- How often they have been made to wait again: whoever wants to change it says which state it has seen.
  add column protection_changes integer not null default 0;

alter table pool
  -- Whether more seats are held than were sold, as it was last told: each change is told once.
  add column overdraft_told boolean not null default false;

-- Seats that each Control Room holds, counted as the pool's own are: by the triggers alone.
create function control_room_use_change(pool_changed bigint, room_changed uuid, delta bigint) returns void
  language plpgsql as $$
begin
  update control_room_use set seats_taken = seats_taken + delta
  where pool_id = pool_changed and control_room = room_changed;
  if not found then
    insert into control_room_use (pool_id, control_room, seats_taken) values (pool_changed, room_changed, delta);
  end if;
end
$$;

create or replace function lease_count_seats() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    perform pool_count_change(changed.pool_id, changed.delta)
    from (select pool_id, sum(seats) as delta from leases_after where state = 'live' group by pool_id) changed
    order by changed.pool_id;
    perform control_room_use_change(changed.pool_id, changed.control_room, changed.delta)
    from (select pool_id, control_room, sum(seats) as delta from leases_after
          where state = 'live' and control_room is not null group by pool_id, control_room) changed;
  elsif tg_op = 'DELETE' then
    perform pool_count_change(changed.pool_id, -changed.delta)
    from (select pool_id, sum(seats) as delta from leases_before where state = 'live' group by pool_id) changed
    order by changed.pool_id;
    perform control_room_use_change(changed.pool_id, changed.control_room, -changed.delta)
    from (select pool_id, control_room, sum(seats) as delta from leases_before
          where state = 'live' and control_room is not null group by pool_id, control_room) changed;
  else
    perform pool_count_change(changed.pool_id, changed.delta)
    from (
      select pool_id, sum(seats) as delta
      from (
        select pool_id, seats from leases_after where state = 'live'
        union all
        select pool_id, -seats from leases_before where state = 'live'
      ) each_lease
      group by pool_id
      having sum(seats) <> 0
    ) changed
    order by changed.pool_id;
    perform control_room_use_change(changed.pool_id, changed.control_room, changed.delta)
    from (
      select pool_id, control_room, sum(seats) as delta
      from (
        select pool_id, control_room, seats from leases_after where state = 'live' and control_room is not null
        union all
        select pool_id, control_room, -seats from leases_before where state = 'live' and control_room is not null
      ) each_lease
      group by pool_id, control_room
      having sum(seats) <> 0
    ) changed;
  end if;
  return null;
end
$$;
