import { execFile } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectRoot } from '@evergrant/local-cluster/world/files';

/**
 * One of each release line that is kept; pinned, so that a run can be repeated. The oldest is the one that runs this.
 */
const VERSIONS = ['22.23.3', '24.21.0', '26.10.0'] as const;
const PLATFORMS = new Set(['linux-x64', 'linux-arm64', 'darwin-arm64']);
const INSTALL_LIMIT_MS = 300_000;

export interface NodeVersion {
  readonly version: string;
  readonly path: string;
}

/** For this platform no Node comes as an npm package. */
export class PlatformError extends Error {
  readonly code = 'platform';
}

/**
 * Every Node that the client is to run on: this one, and one of each later release line, from npm into
 * `node_modules/.cache`. @throws PlatformError, and what npm says when it cannot install one.
 */
export async function nodeVersions(say: (line: string) => void): Promise<NodeVersion[]> {
  const platform = `${process.platform}-${process.arch}`;
  if (!PLATFORMS.has(platform)) throw new PlatformError(`no Node comes from npm for ${platform}`);
  const found: NodeVersion[] = [{ version: process.versions.node, path: process.execPath }];
  for (const version of VERSIONS) found.push({ version, path: await install(`node-${platform}`, version, say) });
  return found;
}

async function install(name: string, version: string, say: (line: string) => void): Promise<string> {
  const folder = join(projectRoot(), 'node_modules/.cache/evergrant', `${name}-${version}`);
  const path = join(folder, 'node_modules', name, 'bin/node');
  const complete = join(folder, 'complete');
  if (existsSync(complete)) return path;
  say(`fetching Node ${version} into node_modules/.cache (once)`);
  // An interrupted download starts again.
  rmSync(folder, { recursive: true, force: true });
  const flags = ['--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  await promisify(execFile)('npm', ['install', ...flags, '--prefix', folder, `${name}@${version}`], {
    timeout: INSTALL_LIMIT_MS,
  });
  writeFileSync(complete, '');
  return path;
}
