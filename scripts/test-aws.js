/**
 * npm run test:aws [-- arguments of jest]: the tests that need an emulator or an independent checker. The first run installs
 * pinned tools into node_modules/.cache/evergrant. Later runs need no network.
 */
const { execFileSync, spawnSync } = require('node:child_process');
const { createHash } = require('node:crypto');
const { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..');
const cache = join(root, 'node_modules/.cache/evergrant');

/** Minimum Python version of moto, ministack, cfn-lint and checkov. */
const PYTHON_MIN = [3, 10];
const PYTHON = process.env.EVERGRANT_PYTHON ?? 'python3';

/** Prints the missing requirement and exits when the tools cannot be installed. */
function checkPython() {
  // Prints the version first, with syntax that every Python understands, so that an old version is reported as old.
  const ask =
    'import sys; sys.stdout.write("%d %d" % sys.version_info[:2]); sys.stdout.flush(); import ensurepip, venv';
  const wanted = `these tests need Python ${PYTHON_MIN.join('.')} or later, with its module venv`;
  const say = (what) => {
    process.stderr.write(`${what}: ${wanted}. EVERGRANT_PYTHON names another one, for example python3.12.\n`);
    process.exit(1);
  };
  const { error, status, stdout, stderr } = spawnSync(PYTHON, ['-c', ask], { encoding: 'utf8' });
  if (error) say(`there is no ${PYTHON}`);
  const [major = 0, minor = 0] = stdout.split(' ').map(Number);
  const [majorMin, minorMin] = PYTHON_MIN;
  const isOld = major < majorMin || (major === majorMin && minor < minorMin);
  if (stdout !== '' && isOld) say(`${PYTHON} is Python ${major}.${minor}`);
  if (status !== 0) say(`${PYTHON} cannot make a virtual environment (${stderr.trim().split('\n').at(-1)})`);
}

/** Creates a virtual environment for a list of packages, again when the list changes. Returns its folder. */
function environment(name) {
  const list = join(__dirname, 'test-aws', `${name}.txt`);
  const wanted = createHash('sha256').update(readFileSync(list)).digest('hex');
  const folder = join(cache, name);
  const mark = join(folder, 'installed');
  if (existsSync(mark) && readFileSync(mark, 'utf8') === wanted) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(cache, { recursive: true });
  process.stdout.write(`installing ${name} …\n`);
  execFileSync(PYTHON, ['-m', 'venv', folder], { stdio: 'inherit' });
  execFileSync(join(folder, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', '-r', list], {
    stdio: 'inherit',
  });
  writeFileSync(mark, wanted);
  return folder;
}

function run(program, args, env = {}) {
  execFileSync(program, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
}

checkPython();
const jest = process.argv.slice(2);
const python = join(environment('moto'), 'bin/python');
const cloudPython = join(environment('ministack'), 'bin/python');
const out = join(cache, 'cdk.out');
run('npx', ['cdk', 'synth', '--quiet', '--output', out], { CDK_VALIDATION: 'true' });
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
  EVERGRANT_CLOUD_PYTHON: cloudPython,
  EVERGRANT_SYNTHESIZED: out,
});
