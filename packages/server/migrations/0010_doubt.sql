-- What may have ended in a lost region while that could still decide is doubted (S4): its seat may have been sold again
-- there. Only a token that outlives the lost region's last word proves that it did not end.

alter table epoch
  -- The last moment, by this database's clock, at which the epoch before may have answered. Null: nothing is unknown.
  add column must_outlive timestamptz;
alter table lease
  -- Null: not in doubt. Cleared by the renewal that proves it.
  add column must_outlive timestamptz;
