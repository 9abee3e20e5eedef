import { userInfo } from 'node:os';

/** Name of the operating system account, recorded in the history. */
export function operatorName(): string {
  try {
    return userInfo().username;
  } catch {
    // Some containers run under an account without an entry in the password database.
    return `uid ${process.getuid?.() ?? '?'}`;
  }
}
