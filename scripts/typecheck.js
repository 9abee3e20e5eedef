/**
 * npm run typecheck: checks the product code without Jest's globals (tsconfig.product.json), then everything with them
 * (tsconfig.json). Two programs take seconds; one for each package, as editors use them, would check shared sources often.
 */
const { spawnSync } = require('node:child_process');
const { join } = require('node:path');

const root = join(__dirname, '..');
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');

for (const project of ['tsconfig.product.json', 'tsconfig.json']) {
  const { status } = spawnSync(process.execPath, [tsc, '--noEmit', '-p', project], { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exitCode = 1;
}
