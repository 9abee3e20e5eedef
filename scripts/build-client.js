/**
 * The client as it is shipped: one file without dependencies, its types beside it, for Node 20 and later.
 */
const { execFileSync } = require('node:child_process');
const { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { build } = require('esbuild');

const root = join(__dirname, '..');
const source = join(root, 'client');
/** What the client shares with the servers: the format of files. */
const shared = ['license-files', 'offline-files'].map((folder) => join(root, folder));
const target = join(root, 'dist', 'client');
const types = join(target, 'types', 'client', 'license-client.d.ts');

/** Accelerators that `ws` uses when they are there. */
const OPTIONAL = ['bufferutil', 'utf-8-validate'];

function newestMs(folder) {
  const times = readdirSync(folder, { recursive: true }).map((name) => statSync(join(folder, String(name))).mtimeMs);
  return Math.max(...times);
}

/** Types take a second: they are made anew only when a source has changed. */
function emitTypes() {
  if (existsSync(types) && statSync(types).mtimeMs > Math.max(...[source, ...shared].map(newestMs))) return;
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  execFileSync(process.execPath, [tsc, '-p', join(source, 'tsconfig.json')], { stdio: 'inherit' });
}

function writeManifest() {
  const { version, engines } = require(join(root, 'package.json'));
  const manifest = {
    name: '@evergrant/client',
    version,
    main: 'index.js',
    types: 'types/client/license-client.d.ts',
    engines,
  };
  writeFileSync(join(target, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

async function buildClient() {
  mkdirSync(target, { recursive: true });
  await build({
    absWorkingDir: root,
    entryPoints: [
      { in: 'client/license-client.ts', out: 'index' },
      { in: 'client/example/main.ts', out: 'example' },
    ],
    outdir: target,
    bundle: true,
    external: OPTIONAL,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    legalComments: 'inline',
    logLevel: 'warning',
  });
  emitTypes();
  writeManifest();
}

module.exports = { buildClient };
