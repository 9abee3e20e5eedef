/** Builds the published package of the client to dist/client: one bundle, one .d.ts file, README, LICENSE and manifest. */
const { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { build } = require('esbuild');

const root = join(__dirname, '..');
const project = join(root, 'packages/client');
/** The client bundles the formats that it shares with the server. */
const sources = [join(project, 'src'), join(root, 'packages/formats/src')];
const target = join(root, 'dist/client');
const types = join(target, 'index.d.ts');

/** Optional accelerators of `ws`. */
const OPTIONAL = ['bufferutil', 'utf-8-validate'];

function newestMs(folder) {
  const times = readdirSync(folder, { recursive: true }).map((name) => statSync(join(folder, String(name))).mtimeMs);
  return Math.max(...times);
}

/** Writes the types when a source is newer than them: this takes seconds. */
function emitTypes() {
  if (existsSync(types) && statSync(types).mtimeMs > Math.max(...sources.map(newestMs))) return;
  rmSync(join(target, 'types'), { recursive: true, force: true });
  require('./api-report').extractApi({ rollup: types });
}

function writeManifest() {
  const manifest = require(join(project, 'package.json'));
  const { name, version, description, keywords, license, repository, engines } = manifest;
  const published = {
    name,
    version,
    description,
    keywords,
    license,
    repository,
    engines,
    main: './index.js',
    types: './index.d.ts',
    exports: {
      '.': { types: './index.d.ts', default: './index.js' },
      './package.json': './package.json',
    },
    files: ['index.js', 'example.js', 'index.d.ts', 'README.md', 'LICENSE'],
    sideEffects: false,
  };
  writeFileSync(join(target, 'package.json'), `${JSON.stringify(published, null, 2)}\n`);
}

function copyTexts() {
  copyFileSync(join(project, 'README.md'), join(target, 'README.md'));
  const license = join(root, 'LICENSE');
  if (existsSync(license)) copyFileSync(license, join(target, 'LICENSE'));
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
  copyTexts();
}

module.exports = { buildClient };
