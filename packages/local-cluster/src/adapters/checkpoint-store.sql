-- Checkpoints of the audit log: what the license servers have signed of the newest event of each chain. They stand here,
-- where neither the loss of a region nor the owner of a license database reaches them. Added to, and never changed.

create table if not exists audit_checkpoint (
  chain     text collate "C" not null,
  -- Counts the checkpoints of a chain, from 1.
  number    bigint not null check (number >= 1),
  epoch     bigint not null,
  seq       bigint not null check (seq >= 1),
  -- The signed statement; the columns before it are only for finding it.
  jws       text not null,
  stored_at timestamptz not null default clock_timestamp(),
  primary key (chain, number)
);
create index if not exists audit_checkpoint_by_epoch on audit_checkpoint (chain, epoch, number desc);
create index if not exists audit_checkpoint_by_time on audit_checkpoint (stored_at);

create or replace function checkpoints_stay() returns trigger language plpgsql as $$
begin
  raise exception 'checkpoints are only added to';
end
$$;

create or replace trigger checkpoints_stay before update or delete or truncate on audit_checkpoint
  for each statement execute function checkpoints_stay();
alter table audit_checkpoint enable always trigger checkpoints_stay;

grant usage on schema public to evergrant_server;
grant select, insert on audit_checkpoint to evergrant_server;
