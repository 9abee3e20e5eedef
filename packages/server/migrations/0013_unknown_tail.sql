-- The opening of an epoch that may lack events of an earlier one declares it, whether or not a checkpoint proves a loss:
-- events after the newest one of this database may have been lost with the region that granted before. Appends one
-- `audit_gap` to `system`, once for each lost epoch. It excuses nothing: a loss that a checkpoint proves is declared besides.
create function evergrant_audit_unknown_tail(lost_epoch bigint, possible_loss text) returns void
  language plpgsql security definer set search_path = pg_catalog, public, pg_temp set timezone = 'UTC'
  set plan_cache_mode = 'force_generic_plan' as $$
declare
  since timestamptz;
begin
  perform from audit_chain where chain = 'system' for update;
  if lost_epoch >= coalesce((select max(epoch) from epoch where opened_at is not null), 0) then
    raise exception 'epoch % goes on: nothing of it can be lost', lost_epoch using errcode = 'EG073';
  end if;
  if exists (select from audit_event where chain = 'system' and kind = 'audit_gap' and body ->> 'tailUnknownSince' is not null
             and (body ->> 'epoch')::bigint = lost_epoch) then
    return;
  end if;
  select max(event.at) into since
    from audit_chain head join audit_event event on event.chain = head.chain and event.seq = head.seq;
  perform audit_append('system', array['audit_gap'], array[audit_actor(null)], array[json_object(
    'tailUnknownSince': to_char(coalesce(since, clock_timestamp()) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'epoch': lost_epoch, 'possibleLoss': possible_loss returning json)]);
end
$$;
