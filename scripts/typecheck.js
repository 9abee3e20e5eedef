/**
 * npm run typecheck: checks every TypeScript project of the repository, product code without Jest's globals, tests with
 * them. Runs as many compilers at once as there are processors, and exits 1 when one of them finds an error.
 */
const { spawn } = require('node:child_process');
const { existsSync, readdirSync } = require('node:fs');
const { availableParallelism } = require('node:os');
const { join } = require('node:path');

const root = join(__dirname, '..');
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');

function projects() {
  const packages = ['packages', 'verification'].flatMap((parent) =>
    readdirSync(join(root, parent)).map((name) => join(parent, name)),
  );
  const folders = ['.', ...packages, ...packages.map((folder) => join(folder, 'test'))];
  return folders.map((folder) => join(folder, 'tsconfig.json')).filter((file) => existsSync(join(root, file)));
}

function check(project) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [tsc, '--noEmit', '-p', project], { cwd: root, stdio: 'inherit' });
    child.on('close', (code) => resolve(code === 0));
  });
}

async function main() {
  const waiting = projects();
  const results = [];
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) results.push(await check(next));
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  if (results.includes(false)) process.exitCode = 1;
}

void main();
