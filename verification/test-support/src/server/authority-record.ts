import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TestDatabase } from '../test-database';

/** An authority store of a test's own, with what the servers use of it. */
export class TestAuthority {
  readonly database: TestDatabase;

  private constructor(database: TestDatabase) {
    this.database = database;
  }

  /** Holds epoch 1 for Oregon, open. */
  static async create(): Promise<TestAuthority> {
    const database = await TestDatabase.empty();
    await database.query(`create table authority (
      singleton boolean primary key default true check (singleton), epoch bigint not null, region text not null,
      operation_id text, latched_at timestamptz not null, opens_at timestamptz, lapsed_at timestamptz,
      renewed_at timestamptz, renewed_by text, unprotected_epoch bigint, unprotected_since timestamptz)`);
    await database.query(
      `insert into authority (epoch, region, latched_at, opens_at) values (1, 'oregon', now(), now())`,
    );
    await database.query(
      'grant select, update (renewed_at, renewed_by, unprotected_epoch, unprotected_since) on authority to evergrant_server',
    );
    await database.query(`create table history (id bigint generated always as identity primary key,
      at timestamptz not null default clock_timestamp(), kind text not null, detail jsonb not null)`);
    await database.query('grant select on history to evergrant_server');
    await database.query(
      readFileSync(join(__dirname, '../../../../packages/local-cluster/src/adapters/checkpoint-store.sql'), 'utf8'),
    );
    return new TestAuthority(database);
  }

  async latch({ epoch, region }: { epoch: number; region: string }): Promise<void> {
    await this.database.query(
      'update authority set epoch = $1, region = $2, latched_at = now(), opens_at = null, lapsed_at = null',
      [epoch, region],
    );
  }

  /** What the controller did, as it writes it down. */
  async note(kind: string, detail: object): Promise<void> {
    await this.database.query('insert into history (kind, detail) values ($1, $2)', [kind, detail]);
  }

  /** @param lapsedAt by when every proof of the epochs before had lapsed. */
  async open(lapsedAt = new Date()): Promise<void> {
    await this.database.query('update authority set opens_at = clock_timestamp(), lapsed_at = $1', [lapsedAt]);
  }

  /** The last epoch that granted without waiting for a follower. */
  async unprotectedEpoch(): Promise<number | null> {
    const rows = await this.database.query<{ epoch: number | null }>(
      'select unprotected_epoch::int as epoch from authority',
    );
    return rows[0]?.epoch ?? null;
  }

  async renewedAt(): Promise<Date | null> {
    const rows = await this.database.query<{ renewed_at: Date | null }>('select renewed_at from authority');
    return rows[0]?.renewed_at ?? null;
  }
}
