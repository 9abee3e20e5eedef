import { chownSync, cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClientConfig } from 'pg';
import { chownToPostgres, postgresAccount } from './account';
import { takeBaseBackup } from './base-backup';
import type { PostgresInstance } from './instance';

/** Copies a stopped cluster. `writeConfiguration` discards the replication settings of the copy. */
export function copyStopped(source: PostgresInstance, target: PostgresInstance): void {
  if (source.processes().length > 0) throw new Error(`${source.name} is running: only a stopped cluster can be copied`);
  target.prepareDirectory();
  cpSync(source.directory, target.directory, { recursive: true });
  chownTreeToPostgres(target.directory);
}

/** Directory of a copy until it is complete. The cluster that it will replace stays usable until then. */
export function unfinishedCopy(target: PostgresInstance): string {
  return `${target.directory}.building`;
}

/** Copies a running cluster over the network to `unfinishedCopy(target)`, as a follower that has not started yet. */
export async function copyRunning(
  source: ClientConfig,
  target: PostgresInstance,
  options: { readonly silentAfterMs: number },
): Promise<void> {
  const directory = unfinishedCopy(target);
  target.prepareDirectory(directory);
  try {
    await takeBaseBackup({ source, target: directory, ...options });
    writeFileSync(join(directory, 'standby.signal'), '', { mode: 0o600 });
    chownTreeToPostgres(directory);
  } catch (cause) {
    rmSync(directory, { recursive: true, force: true });
    throw new Error(`${target.name} could not be copied: ${(cause as Error).message}`, { cause });
  }
}

/** Configures a stopped cluster to start as a follower. */
export function markAsFollower(instance: PostgresInstance): void {
  const signal = join(instance.directory, 'standby.signal');
  writeFileSync(signal, '', { mode: 0o600 });
  chownToPostgres(signal);
}

function chownTreeToPostgres(directory: string): void {
  const account = postgresAccount();
  if (account === undefined) return;
  for (const entry of ['', ...readdirSync(directory, { recursive: true, encoding: 'utf8' })]) {
    chownSync(join(directory, entry), account.uid, account.gid);
  }
}
