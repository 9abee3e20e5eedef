-- What the roles may do; run after the migrations each time, so that a role created later gets its rights too.
-- The servers cannot change a pool's seats or close an epoch; licenses they import, API tokens and Control Rooms they
-- make and end through functions only, which write down in whose name. What happened they can read, not change.

do $$
begin
  if exists (select from pg_roles where rolname = 'evergrant_server') then
    grant usage on schema public to evergrant_server;
    grant select, insert, update, delete on queue_place to evergrant_server;
    grant select on epoch, license, pool, lease, api_token, control_room, reservation to evergrant_server;
    grant insert on epoch, lease to evergrant_server;
    grant update (unprotected_since, protection_changes) on epoch to evergrant_server;
    grant select, insert, update (seats_taken) on control_room_use to evergrant_server;
    grant update (seats_taken, seats_held_back, seats_awaited, awaited_until, seats_over, grant_seq, acked_seq,
      overdraft_told, queue_seq)
      on pool to evergrant_server;
    grant update (expires_at, must_outlive, epoch, state, ended_at, ended_by, ended_because, handover, ending_since) on lease
      to evergrant_server;
    grant update (last_heartbeat_at, silent_since, oversubscribed_since, state, state_since, state_because)
      on control_room to evergrant_server;
    grant insert, update (seats), delete on reservation to evergrant_server;
    grant select, insert on offline_exchange to evergrant_server;
    grant update (attempt, response, responded_by, lent_until, receipt, returned_by) on offline_exchange to evergrant_server;
    grant select, update (watched_at) on control_room_watch to evergrant_server;
    grant select, insert, update on server_presence to evergrant_server;
    grant select, insert (servers), update (term, in_control, renewed_at, taken_at) on triad to evergrant_server;
    grant execute on function
      evergrant_register_control_room(uuid, bytea, text, text, bytea),
      evergrant_rotate_room_token(uuid, bytea, bytea, integer, text),
      evergrant_create_api_token(text, bytea, text[], timestamptz, uuid, text),
      evergrant_revoke_api_token(text, text, text),
      evergrant_recover_control_room(uuid, integer, text, text),
      evergrant_group_control_room(uuid, text, text, text),
      evergrant_enter_offline_room(uuid, text, text)
      to evergrant_server;
    grant update (expiry_told_days) on license to evergrant_server;
    grant execute on function evergrant_import_license(jsonb, text, text), evergrant_widened_terms(jsonb),
      evergrant_announce_import(jsonb, text, text), evergrant_apply_pending_imports()
      to evergrant_server;
    grant select on audit_event, audit_chain, audit_era, audit_usage, audit_denials, audit_controller_history
      to evergrant_server;
    grant execute on function
      evergrant_audit_denials(bigint, jsonb),
      evergrant_audit_gap(text, bigint, bigint, bigint, text, text),
      evergrant_audit_unknown_tail(bigint, text),
      evergrant_audit_controller_history(jsonb),
      evergrant_audit_first_seq(text, timestamptz)
      to evergrant_server;
  end if;
  if exists (select from pg_roles where rolname = 'evergrant_controller') then
    grant usage on schema public to evergrant_controller;
    grant select on epoch, pool, lease to evergrant_controller;
    grant select, insert, update on controller_write_check to evergrant_controller;
    grant execute on function evergrant_close_epoch(bigint) to evergrant_controller;
  end if;
end
$$;
