import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { type Client, escapeIdentifier, escapeLiteral } from 'pg';

const ITERATIONS = 4_096;

/**
 * Makes the roles that servers and controller log in with, or gives them their passwords anew, where nobody else has
 * made them (a managed database). Only what SCRAM verifies a password with is sent: no log ever sees the password.
 */
export async function makeRoles(client: Client, passwords: Readonly<Record<string, string>>): Promise<void> {
  for (const [role, password] of Object.entries(passwords)) {
    const { rowCount } = await client.query('select from pg_roles where rolname = $1', [role]);
    const verb = rowCount === 0 ? 'create' : 'alter';
    const verifier = escapeLiteral(scramVerifier(password, randomBytes(16)));
    await client.query(`${verb} role ${escapeIdentifier(role)} login password ${verifier}`);
    // What says whether the follower streams is hidden from everybody else.
    await client.query(`grant pg_monitor to ${escapeIdentifier(role)}`);
  }
}

/** RFC 5803, as PostgreSQL stores it. */
export function scramVerifier(password: string, salt: Buffer): string {
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, ITERATIONS, 32, 'sha256');
  const keyFor = (name: string): Buffer => createHmac('sha256', salted).update(name).digest();
  const stored = createHash('sha256').update(keyFor('Client Key')).digest('base64');
  const server = keyFor('Server Key').toString('base64');
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${stored}:${server}`;
}
