/**
 * Bundles our own sources to dist/ so that the dozen processes of a world start in a fraction of a second each.
 * Libraries stay in node_modules; every entry point is one process of the product.
 */
const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { build } = require('esbuild');
const { buildClient } = require('./build-client');

const root = join(__dirname, '..');
const entryPoints = [
  'server/main.ts',
  'server/migrate.ts',
  'local/two-region/main.ts',
  'local/two-region/world/tether.ts',
  'local/two-region/controller.ts',
  'local/two-region/edge.ts',
  'local/two-region/router.ts',
  'local/two-region/witness.ts',
  'local/drills/main.ts',
  'local/fuzz/main.ts',
  'local/bench/main.ts',
  'local/bench/generator/main.ts',
  'local/bench/cpu-profile.ts',
  'local/client-runtimes/main.ts',
  'local/model/main.ts',
  'local/simulator/main.ts',
  'local/simulator/crew-worker.ts',
].filter((entry) => existsSync(join(root, entry)));

const settings = {
  absWorkingDir: root,
  outdir: 'dist',
  outbase: '.',
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'cjs',
  sourcemap: true,
  logLevel: 'warning',
};
const processes = build({ ...settings, entryPoints, packages: 'external' });
// The command is started often and works for moments: of its libraries it gets what it uses, and starts twice as fast.
const command = existsSync(join(root, 'cli/main.ts'))
  ? build({ ...settings, entryPoints: ['cli/main.ts'], external: ['pg'] })
  : undefined;

// An image of the server is built from the server's sources alone.
const client = existsSync(join(root, 'client')) ? buildClient() : undefined;
Promise.all([processes, command, client]).catch((error) => {
  // What esbuild has to say it has said.
  if (!error.errors) process.stderr.write(`${error.stack ?? error}\n`);
  process.exit(1);
});
