-- Checkpoints of the audit log: statements that license servers signed about the newest event of each chain. This store
-- survives the loss of a region, and the owner of a license database has no access to it. Append-only.

create table if not exists audit_checkpoint (
  chain     text collate "C" not null,
  -- The checkpoint's number within its chain, from 1.
  number    bigint not null check (number >= 1),
  epoch     bigint not null,
  seq       bigint not null check (seq >= 1),
  -- The signed statement. The columns before it only serve to find it.
  jws       text not null,
  stored_at timestamptz not null default clock_timestamp(),
  primary key (chain, number)
);
create index if not exists audit_checkpoint_by_epoch on audit_checkpoint (chain, epoch, number desc);
create index if not exists audit_checkpoint_by_time on audit_checkpoint (stored_at);

create or replace function checkpoints_stay() returns trigger language plpgsql as $$
begin
  raise exception 'checkpoints are append-only';
end
$$;

create or replace trigger checkpoints_stay before update or delete or truncate on audit_checkpoint
  for each statement execute function checkpoints_stay();
alter table audit_checkpoint enable always trigger checkpoints_stay;

grant usage on schema public to evergrant_server;
grant select, insert on audit_checkpoint to evergrant_server;
