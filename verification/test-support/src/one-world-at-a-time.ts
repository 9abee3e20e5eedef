import { ADMIN_ROLE } from '@evergrant/local-cluster/postgres/instance';
import { Client } from 'pg';
import { sharedPostgres } from './shared-postgres';

const TURN = 7_303_014_900;
const TURN_LIMIT_MS = 600_000;

/**
 * A world is fifteen processes: test files that start one take turns, whatever else runs beside them. To be called at
 * the top of the file. The turn is an advisory lock of a session, so a file that dies gives it back.
 */
export function oneWorldAtATime(): void {
  const { port, adminPassword: password } = sharedPostgres();
  const session = new Client({ host: '127.0.0.1', port, user: ADMIN_ROLE, password, database: 'postgres' });
  beforeAll(async () => {
    await session.connect();
    await session.query('select pg_advisory_lock($1)', [TURN]);
  }, TURN_LIMIT_MS);
  afterAll(() => session.end());
}
