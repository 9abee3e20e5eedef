import { userInfo } from 'node:os';

/** Who gives the command, for the history. */
export function operatorName(): string {
  try {
    return userInfo().username;
  } catch {
    // An account without an entry in the password database, as in some containers.
    return `uid ${process.getuid?.() ?? '?'}`;
  }
}
