import { execFileSync, spawnSync } from 'node:child_process';
import { chownSync } from 'node:fs';

/** The account PostgreSQL's programs run as. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

const UNPRIVILEGED_ACCOUNT = 'nobody';

let looked: Account | undefined;

/**
 * PostgreSQL refuses to run as root, so root hands its programs to an unprivileged account; everybody else runs them
 * as themselves (`undefined`). The account must exist by name: initdb looks its own user up.
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

/** Whether the account can enter a directory. Asks the kernel, which knows modes, access lists and mount options. */
export function canEnter(account: Account, directory: string): boolean {
  const entered = spawnSync('/bin/sh', ['-c', 'cd -- "$0"', directory], { ...account, cwd: '/', stdio: 'ignore' });
  return entered.status === 0;
}

/** Gives a file or directory to PostgreSQL's account; nothing to do for an ordinary user. */
export function chownToPostgres(path: string): void {
  const account = postgresAccount();
  if (account !== undefined) chownSync(path, account.uid, account.gid);
}
