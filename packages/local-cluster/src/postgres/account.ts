import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync } from 'node:fs';

/** The account that PostgreSQL's programs run as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

const UNPRIVILEGED_ACCOUNT = 'nobody';

let looked: Account | undefined;

/**
 * The account for PostgreSQL's programs. PostgreSQL refuses to run as root, so root starts them as an unprivileged
 * account. For all other users the result is `undefined`: the programs run as the current user. The account needs an
 * entry in the user database, because initdb looks up its own user.
 */
export function postgresAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  looked ??= { uid: idOf('-u'), gid: idOf('-g') };
  return looked;
}

function idOf(flag: '-u' | '-g'): number {
  const answer = execFileSync('id', [flag, UNPRIVILEGED_ACCOUNT], { encoding: 'utf8' }).trim();
  const id = Number(answer);
  if (!Number.isInteger(id)) throw new Error(`the account '${UNPRIVILEGED_ACCOUNT}' has no numeric id: ${answer}`);
  return id;
}

/** Whether the account can enter a directory. The kernel decides: it knows modes, access lists and mount options. */
export function canEnter(account: Account, directory: string): boolean {
  const entered = spawnSync('/bin/sh', ['-c', 'cd -- "$0"', directory], { ...account, cwd: '/', stdio: 'ignore' });
  return entered.status === 0;
}

/** Changes the owner of a file or directory to PostgreSQL's account. Does nothing for an ordinary user. */
export function chownToPostgres(path: string): void {
  const account = postgresAccount();
  if (account !== undefined) chownSync(path, account.uid, account.gid);
}
