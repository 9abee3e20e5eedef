/** How test files, which run in processes of their own, find the PostgreSQL that the whole run shares. */
export interface SharedPostgres {
  readonly port: number;
  readonly adminPassword: string;
}

export const PASSWORD_OF_ALL_ROLES = 'only-for-tests';
export const TEMPLATE_DATABASE = 'evergrant_template';
const VARIABLE = 'EVERGRANT_TEST_POSTGRES';

export function rememberPostgres(shared: SharedPostgres): void {
  process.env[VARIABLE] = JSON.stringify(shared);
}

export function sharedPostgres(): SharedPostgres {
  const text = process.env[VARIABLE];
  if (text === undefined) throw new Error('the tests have no PostgreSQL: run them with jest from the project folder');
  return JSON.parse(text) as SharedPostgres;
}
