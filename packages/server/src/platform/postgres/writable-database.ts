import { SCHEMA_FOUND } from './migrations';

/** The part of a PostgreSQL client that the selection needs. */
export interface DatabaseSession {
  query(sql: string): Promise<{ readonly rows: readonly Record<string, unknown>[] }>;
  end(): Promise<void>;
}

export type MigrationTarget<Session> =
  /** The first database in the list that accepts writes. The caller ends the session. */
  | { readonly kind: 'writable'; readonly host: string; readonly session: Session }
  /** The schema is this release's or a later one, so there is nothing to migrate. */
  | { readonly kind: 'up_to_date'; readonly host: string; readonly schema: number; readonly isFollower: boolean };

export interface MigrationTargetOptions<Session> {
  /** The region's own database first, then those of other regions. */
  readonly hosts: readonly string[];
  readonly connect: (host: string) => Promise<Session>;
  /** The number of this release's newest migration. */
  readonly schemaOfThisRelease: number;
}

/**
 * Finds the database to migrate. Only a writable database can be migrated, and it may be in the other region. A later
 * schema is left alone, so that the migration of a release that is rolled back to succeeds. When no database is writable,
 * a follower that already has the schema is enough: a new standby region is deployed before it reaches the other region.
 *
 * @throws Error that gives the reason for each host
 */
export async function findMigrationTarget<Session extends DatabaseSession>({
  hosts,
  connect,
  schemaOfThisRelease,
}: MigrationTargetOptions<Session>): Promise<MigrationTarget<Session>> {
  const reasons: string[] = [];
  let follower: MigrationTarget<Session> | undefined;
  for (const host of hosts) {
    try {
      const session = await connect(host);
      const { inRecovery, schema } = await inspect(session).catch(async (error: unknown) => {
        await session.end();
        throw error;
      });
      if (!inRecovery && schema <= schemaOfThisRelease) return { kind: 'writable', host, session };
      await session.end();
      if (!inRecovery) return { kind: 'up_to_date', host, schema, isFollower: false };
      reasons.push(`${host}: a follower, whose schema is ${schema}`);
      if (schema >= schemaOfThisRelease) follower ??= { kind: 'up_to_date', host, schema, isFollower: true };
    } catch (error) {
      reasons.push(`${host}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (follower !== undefined) return follower;
  throw new Error(`no database can be migrated to schema ${schemaOfThisRelease}:\n  ${reasons.join('\n  ')}`);
}

async function inspect(session: DatabaseSession): Promise<{ inRecovery: boolean; schema: number }> {
  const { rows } = await session.query(
    `select pg_is_in_recovery() as in_recovery, coalesce(${SCHEMA_FOUND}, 0) as schema`,
  );
  return { inRecovery: rows[0]?.in_recovery === true, schema: Number(rows[0]?.schema ?? 0) };
}
