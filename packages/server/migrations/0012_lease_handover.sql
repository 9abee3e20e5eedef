-- An installation that restarts gets its live lease again, by its identity. Its earlier process may still run, as in a rolling
-- update, and releases the lease when it ends. The number of handovers distinguishes the tokens of both: a release with a
-- token of an earlier handover does not end the lease.

alter table lease
  -- How often the lease was given to another checkout of the same installation.
  add column handover integer not null default 0;
