import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dependencies as storeLibraries } from '../../packages/authority-store/package.json';
import { dependencies as formatLibraries } from '../../packages/formats/package.json';
import { dependencies as serverLibraries } from '../../packages/server/package.json';
import { withImageContext } from './support/synthesized';

const dependencies = { ...storeLibraries, ...formatLibraries, ...serverLibraries };

/** No container engine is available here, so the test parses the Dockerfile and runs its build stage step by step. */
const DOCKERFILE = readFileSync(join(__dirname, '../../packages/server/Dockerfile'), 'utf8');
const stages = DOCKERFILE.split(/^FROM /m).slice(1);
const last = stages.at(-1) ?? '';

describe('Dockerfile of the server', () => {
  it('copies the result of earlier stages into a last stage without tools', () => {
    expect(stages.length).toBeGreaterThan(1);
    expect(last).not.toMatch(/^RUN /m);
  });

  it('runs as a numeric user that is not root', () => {
    expect(/^USER (\d+)/m.exec(last)?.[1]).not.toBe('0');
    expect(last.indexOf('USER')).toBeLessThan(last.indexOf('ENTRYPOINT'));
  });

  it('runs files that its user does not own', () => {
    for (const [copy] of last.matchAll(/^COPY .+$/gm)) expect(copy).toContain('--chown=0:0');
  });

  it('installs production dependencies without install scripts', () => {
    const production = stages.find((stage) => stage.includes('--omit=dev')) ?? '';
    expect(production).toContain('--ignore-scripts');
    expect(last).toContain('COPY --from=dependencies');
  });

  it('builds from the files in its context', () => {
    const folder = mkdtempSync(join(tmpdir(), 'evergrant-image-'));
    try {
      withImageContext((context) => follow(stages[0] ?? '', { context, folder }));
      for (const entry of ['main', 'migrate']) {
        const file = join(folder, 'dist/server', `${entry}.js`);
        expect(foreign(readFileSync(file, 'utf8')).filter((name) => !(name in dependencies))).toEqual([]);
        // Without settings the process lists the missing ones. Any other error means that a file is missing in the image.
        const { stderr } = spawnSync(process.execPath, [file], { env: {}, encoding: 'utf8' });
        expect(stderr).toContain('The environment is not valid');
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }, 120_000);

  it('checks its health at /livez', () => {
    expect(last).toMatch(/HEALTHCHECK[\s\S]+\/livez/);
  });
});

/** Runs the COPY and RUN instructions of a stage, except for the installation: it uses the libraries of this repository. */
function follow(stage: string, { context, folder }: { context: string; folder: string }): void {
  symlinkSync(join(__dirname, '../../node_modules'), join(folder, 'node_modules'));
  for (const [, command, rest = ''] of stage.matchAll(/^(COPY|RUN) (.+)$/gm)) {
    const words = rest.split(' ');
    if (command === 'COPY') {
      const target = join(folder, words.pop() ?? '');
      for (const source of words) {
        const inside = words.length > 1 || rest.endsWith('/') ? join(target, source.split('/').at(-1) ?? '') : target;
        cpSync(join(context, source), inside, { recursive: true });
      }
    } else if (words[0] === 'node') {
      const { status, stderr } = spawnSync(process.execPath, words.slice(1), { cwd: folder, encoding: 'utf8' });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    }
  }
  expect(readdirSync(folder)).toContain('dist');
}

/** The libraries that a bundle requires. */
function foreign(bundle: string): string[] {
  const asked = [...bundle.matchAll(/require\("([^"]+)"\)/g)].map(([, name = '']) => name);
  const names = asked.filter((name) => !name.startsWith('node:') && !builtinModules.includes(name));
  return names.map((name) =>
    name
      .split('/')
      .slice(0, name.startsWith('@') ? 2 : 1)
      .join('/'),
  );
}
