import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { type Client, escapeIdentifier, escapeLiteral } from 'pg';

const ITERATIONS = 4_096;

/**
 * Creates the login roles of servers and controller, or sets their passwords again, on a managed database. Only the
 * SCRAM verifier is sent, so no log ever contains the password.
 */
export async function makeRoles(client: Client, passwords: Readonly<Record<string, string>>): Promise<void> {
  for (const [role, password] of Object.entries(passwords)) {
    const { rowCount } = await client.query('select from pg_roles where rolname = $1', [role]);
    const verb = rowCount === 0 ? 'create' : 'alter';
    const verifier = escapeLiteral(scramVerifier(password, randomBytes(16)));
    await client.query(`${verb} role ${escapeIdentifier(role)} login password ${verifier}`);
    // `pg_stat_replication` hides the follower's state from other roles.
    await client.query(`grant pg_monitor to ${escapeIdentifier(role)}`);
  }
}

/** The SCRAM verifier of a password (RFC 5803), in PostgreSQL's format. */
export function scramVerifier(password: string, salt: Buffer): string {
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, ITERATIONS, 32, 'sha256');
  const keyFor = (name: string): Buffer => createHmac('sha256', salted).update(name).digest();
  const stored = createHash('sha256').update(keyFor('Client Key')).digest('base64');
  const server = keyFor('Server Key').toString('base64');
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${stored}:${server}`;
}
