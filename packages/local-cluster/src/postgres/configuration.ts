import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chownToPostgres } from './account';
import { clusterTitle } from './cluster-processes';

/** PostgreSQL settings by name, in PostgreSQL's own notation ('2s', 'on', 100). */
export type Settings = Readonly<Record<string, string | number>>;

/**
 * Settings that are equal on every instance, because each instance can take each role. For example, a follower refuses
 * to start with fewer connections than its primary.
 */
const COMMON: Settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: 120,
  shared_buffers: '32MB',
  wal_level: 'replica',
  hot_standby: 'on',
  max_wal_senders: 10,
  max_replication_slots: 0,
  wal_keep_size: '256MB',
  max_wal_size: '512MB',
  password_encryption: 'scram-sha-256',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '%m [%p] %q%u@%d ',
};

/** Local connections only, with a password. Replication is open only to roles with the REPLICATION privilege. */
const HOST_BASED_AUTHENTICATION = [
  'host all all 127.0.0.1/32 scram-sha-256',
  'host replication all 127.0.0.1/32 scram-sha-256',
  '',
].join('\n');

/**
 * Writes the whole configuration of an instance. It discards settings that were copied from another instance or written
 * by ALTER SYSTEM, so the files contain only the caller's settings.
 */
export function writeConfiguration(directory: string, port: number, settings: Settings): void {
  const all: Settings = { ...COMMON, cluster_name: clusterTitle(directory), ...settings, port };
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${quoted(value)}`);
  write(join(directory, 'postgresql.conf'), `${lines.join('\n')}\n`);
  write(join(directory, 'postgresql.auto.conf'), '');
  write(join(directory, 'pg_hba.conf'), HOST_BASED_AUTHENTICATION);
}

function quoted(value: string | number): string {
  return `'${String(value).replaceAll("'", "''")}'`;
}

/** Replaces the file atomically: a running postmaster may reload it at any moment. */
function write(path: string, content: string): void {
  const draft = `${path}.new`;
  writeFileSync(draft, content, { mode: 0o600 });
  chownToPostgres(draft);
  renameSync(draft, path);
}
