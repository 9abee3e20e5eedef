/**
 * Bundles the sources of the repository to dist/, one file per process. Libraries stay in node_modules. With bundles, each
 * process of a local cluster starts in a fraction of a second.
 */
const { cpSync, existsSync, readdirSync, readFileSync } = require('node:fs');
const { join } = require('node:path');
const { build } = require('esbuild');

const root = join(__dirname, '..');
const dist = join(root, 'dist');

/** Entry points: output below dist/ without its extension, and source. */
const PROCESSES = {
  'server/main': 'packages/server/src/main.ts',
  'server/migrate': 'packages/server/src/migrate.ts',
  'local-cluster/main': 'packages/local-cluster/src/main.ts',
  'local-cluster/parent-watchdog': 'packages/local-cluster/src/world/parent-watchdog.ts',
  'local-cluster/controller': 'packages/local-cluster/src/controller.ts',
  'local-cluster/edge': 'packages/local-cluster/src/edge.ts',
  'local-cluster/router': 'packages/local-cluster/src/router.ts',
  'local-cluster/witness': 'packages/local-cluster/src/witness.ts',
  'drills/main': 'verification/drills/src/main.ts',
  'api-fuzz/main': 'verification/api-fuzz/src/main.ts',
  'bench/main': 'verification/bench/src/main.ts',
  'bench/generator': 'verification/bench/src/generator/main.ts',
  'bench/cpu-profile': 'verification/bench/src/cpu-profile.ts',
  'client-node-matrix/main': 'verification/client-node-matrix/src/main.ts',
  'model/main': 'verification/model/src/main.ts',
  'simulator/main': 'verification/simulator/src/main.ts',
  'simulator/worker': 'verification/simulator/src/worker.ts',
};

/** Names of the libraries that any workspace depends on. */
function libraries() {
  const manifests = ['packages', 'verification']
    .filter((parent) => existsSync(join(root, parent)))
    .flatMap((parent) => readdirSync(join(root, parent)).map((name) => join(root, parent, name, 'package.json')))
    .filter(existsSync)
    .map((file) => JSON.parse(readFileSync(file, 'utf8')));
  const names = manifests.flatMap(({ dependencies = {}, devDependencies = {} }) => [
    ...Object.keys(dependencies),
    ...Object.keys(devDependencies),
  ]);
  return [...new Set(names)].filter((name) => !name.startsWith('@evergrant/'));
}

const settings = {
  absWorkingDir: root,
  outdir: dist,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  sourcemap: true,
  logLevel: 'warning',
};

function present(entries) {
  const found = Object.entries(entries).filter(([, source]) => existsSync(join(root, source)));
  return found.map(([out, source]) => ({ out, in: source }));
}

async function buildProcesses() {
  const names = libraries();
  const external = names.flatMap((name) => [name, `${name}/*`]);
  await build({ ...settings, entryPoints: present(PROCESSES), external });
  cpSync(join(root, 'packages/server/migrations'), join(dist, 'server/migrations'), { recursive: true });
}

/** Bundles the command with its libraries, which halves its start-up time. */
async function buildCommand() {
  const entryPoints = present({
    'cli/main': 'packages/cli/src/main.ts',
    'local-cluster/evergrant': 'packages/local-cluster/src/cli/main.ts',
  });
  if (entryPoints.length > 0) await build({ ...settings, entryPoints, external: ['pg'] });
}

async function buildPublishedClient() {
  // The server's image is built from the server's sources alone.
  if (existsSync(join(root, 'packages/client'))) await require('./build-client').buildClient();
}

Promise.all([buildProcesses(), buildCommand(), buildPublishedClient()]).catch((error) => {
  // esbuild has already printed its own errors.
  if (!error.errors) process.stderr.write(`${error.stack ?? error}\n`);
  process.exit(1);
});
