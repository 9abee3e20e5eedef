import { Client, type ClientConfig, escapeIdentifier, escapeLiteral } from 'pg';

const DATABASE = 'evergrant';
export const REPLICATION_ROLE = 'evergrant_replication';

/** Passwords by role name. */
export type Passwords<Role extends string> = Readonly<Record<Role, string>>;

export type LicenseRole =
  | 'evergrant_admin'
  | 'evergrant_owner'
  | 'evergrant_server'
  | 'evergrant_controller'
  | 'evergrant_replication';

export type AuthorityRole = 'evergrant_admin' | 'evergrant_server' | 'evergrant_controller';

/** Creates the roles of a license database and the empty database. Migrations create the schema. */
export async function createLicenseDatabase(admin: ClientConfig, passwords: Passwords<LicenseRole>): Promise<void> {
  await run(admin, [
    createLogin('evergrant_owner', passwords.evergrant_owner),
    createLogin('evergrant_server', passwords.evergrant_server),
    createLogin('evergrant_controller', passwords.evergrant_controller),
    `${createLogin(REPLICATION_ROLE, passwords.evergrant_replication)} replication`,
    'grant pg_read_all_stats to evergrant_server, evergrant_controller',
    `create database ${DATABASE} owner evergrant_owner`,
    ...connectOnly(['evergrant_owner', 'evergrant_server', 'evergrant_controller']),
  ]);
  await run({ ...admin, database: DATABASE }, [
    'grant execute on function pg_promote(boolean, integer) to evergrant_controller',
  ]);
}

/** Creates the roles of the authority store and its empty database. */
export async function createAuthorityDatabase(admin: ClientConfig, passwords: Passwords<AuthorityRole>): Promise<void> {
  await run(admin, [
    createLogin('evergrant_server', passwords.evergrant_server),
    createLogin('evergrant_controller', passwords.evergrant_controller),
    `create database ${DATABASE}`,
    ...connectOnly(['evergrant_server', 'evergrant_controller']),
  ]);
}

function createLogin(role: string, password: string): string {
  return `create role ${escapeIdentifier(role)} login password ${escapeLiteral(password)}`;
}

function connectOnly(roles: readonly string[]): string[] {
  return [
    `revoke all on database ${DATABASE} from public`,
    ...roles.map((role) => `grant connect on database ${DATABASE} to ${escapeIdentifier(role)}`),
  ];
}

async function run(config: ClientConfig, statements: readonly string[]): Promise<void> {
  const client = new Client(config);
  await client.connect();
  try {
    // PostgreSQL logs failed statements by default, and these contain passwords.
    await client.query("set log_min_error_statement = 'panic'");
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}
