import { rmSync } from 'node:fs';
import { copyStopped, markAsFollower } from '../postgres/copies';
import type { PostgresInstance } from '../postgres/instance';
import {
  type AuthorityRole,
  createAuthorityDatabase,
  createLicenseDatabase,
  type LicenseRole,
  type Passwords,
} from './roles';

export interface BootstrapInput {
  readonly primary: PostgresInstance;
  /** Created as copies of the primary database, so that they can follow it. */
  readonly followers: readonly PostgresInstance[];
  readonly store: PostgresInstance;
  readonly databasePasswords: Passwords<LicenseRole>;
  readonly authorityPasswords: Passwords<AuthorityRole>;
}

/** Creates the clusters of a new state directory and removes remains of an interrupted attempt. None runs afterwards. */
export async function createClusters(input: BootstrapInput): Promise<void> {
  await Promise.all([createLicenseClusters(input), createStore(input)]);
}

async function createLicenseClusters({ primary, followers, databasePasswords }: BootstrapInput): Promise<void> {
  await createCluster(primary, () => createLicenseDatabase(primary.connection(), databasePasswords));
  for (const follower of followers) {
    await follower.kill();
    copyStopped(primary, follower);
    markAsFollower(follower);
  }
}

async function createStore({ store, authorityPasswords }: BootstrapInput): Promise<void> {
  await createCluster(store, () => createAuthorityDatabase(store.connection(), authorityPasswords));
}

async function createCluster(instance: PostgresInstance, fill: () => Promise<void>): Promise<void> {
  await instance.kill();
  rmSync(instance.directory, { recursive: true, force: true });
  await instance.init();
  await instance.start({ settings: { fsync: 'off' } });
  await fill();
  await instance.stop('fast');
}
