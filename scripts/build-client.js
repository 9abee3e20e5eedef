/**
 * The client as it is shipped: one file without dependencies, its types beside it, for Node 20 and later.
 */
const { execFileSync } = require('node:child_process');
const { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { build } = require('esbuild');

const root = join(__dirname, '..');
const source = join(root, 'packages/client/src');
/** Formats that the client shares with the server. */
const shared = [join(root, 'packages/formats/src')];
const target = join(root, 'dist', 'client');
const types = join(target, 'types/client/src/license-client.d.ts');

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
  execFileSync(process.execPath, [tsc, '-p', join(root, 'packages/client/tsconfig.build.json')], { stdio: 'inherit' });
}

function writeManifest() {
  const { name, version, description, license, engines } = require(join(root, 'packages/client/package.json'));
  const entry = { types: './types/client/src/license-client.d.ts', default: './index.js' };
  const manifest = {
    ...{ name, version, description, license, engines },
    main: 'index.js',
    types: entry.types,
    exports: { '.': entry, './package.json': './package.json' },
  };
  writeFileSync(join(target, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

async function buildClient() {
  mkdirSync(target, { recursive: true });
  await build({
    absWorkingDir: root,
    entryPoints: [
      { in: 'packages/client/src/license-client.ts', out: 'index' },
      { in: 'packages/client/src/example/main.ts', out: 'example' },
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
