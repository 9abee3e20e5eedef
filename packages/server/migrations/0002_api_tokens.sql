-- API tokens, hashed: whoever reads the table cannot use them.

create table api_token (
  name text primary key,
  token_sha256 bytea not null unique check (length(token_sha256) = 32),
  scopes text[] not null check (scopes <@ array['lease', 'read', 'admin'])
);
