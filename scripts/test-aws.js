/**
 * npm run test:aws [-- jest's arguments]: what needs an emulator or an independent checker. Installs its tools, with
 * pinned versions, into node_modules/.cache/evergrant; afterwards it runs without a network.
 */
const { execFileSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..');
const cache = join(root, 'node_modules/.cache/evergrant');

/** A virtual environment for a list of packages; made anew when the list changes. Returns its folder. */
function environment(name) {
  const list = join(__dirname, 'test-aws', `${name}.txt`);
  const wanted = createHash('sha256').update(readFileSync(list)).digest('hex');
  const folder = join(cache, name);
  const mark = join(folder, 'installed');
  if (existsSync(mark) && readFileSync(mark, 'utf8') === wanted) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(cache, { recursive: true });
  process.stdout.write(`installing ${name} …\n`);
  execFileSync('python3', ['-m', 'venv', folder], { stdio: 'inherit' });
  execFileSync(join(folder, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', '-r', list], {
    stdio: 'inherit',
  });
  writeFileSync(mark, wanted);
  return folder;
}

function run(program, args, env = {}) {
  execFileSync(program, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
}

const jest = process.argv.slice(2);
const python = join(environment('moto'), 'bin/python');
const out = join(cache, 'cdk.out');
run('npx', ['cdk', 'synth', '--quiet', '--output', out]);
if (jest.length === 0) {
  const templates = ['Authority', 'Oregon', 'Virginia', 'Oregon-Interconnect', 'Virginia-Interconnect'].map((name) =>
    join(out, `Evergrant-${name}.template.json`),
  );
  run(join(environment('lint'), 'bin/cfn-lint'), [
    '--config-file',
    'scripts/test-aws/cfnlintrc.yaml',
    '--',
    ...templates,
  ]);
  for (const template of templates) {
    run(join(environment('checkov'), 'bin/checkov'), [
      '--config-file',
      'scripts/test-aws/checkov.yaml',
      '-f',
      template,
    ]);
  }
}
run('npx', ['jest', '--config', 'jest.aws.config.js', '--runInBand', ...jest], {
  EVERGRANT_MODEL_PYTHON: python,
  EVERGRANT_SYNTHESIZED: out,
});
