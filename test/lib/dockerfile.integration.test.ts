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

/** There is no engine here to build it: what it says is read, and its build stage is followed step by step. */
const DOCKERFILE = readFileSync(join(__dirname, '../../packages/server/Dockerfile'), 'utf8');
const stages = DOCKERFILE.split(/^FROM /m).slice(1);
const last = stages.at(-1) ?? '';

describe('the server’s Dockerfile', () => {
  it('ends in a stage without tools, made of what the others have prepared', () => {
    expect(stages.length).toBeGreaterThan(1);
    expect(last).not.toMatch(/^RUN /m);
  });

  it('runs as somebody who is not root, given by number', () => {
    expect(/^USER (\d+)/m.exec(last)?.[1]).not.toBe('0');
    expect(last.indexOf('USER')).toBeLessThan(last.indexOf('ENTRYPOINT'));
  });

  it('owns nothing of what it runs', () => {
    for (const [copy] of last.matchAll(/^COPY .+$/gm)) expect(copy).toContain('--chown=0:0');
  });

  it('installs what is needed in production, and runs no install scripts', () => {
    const production = stages.find((stage) => stage.includes('--omit=dev')) ?? '';
    expect(production).toContain('--ignore-scripts');
    expect(last).toContain('COPY --from=dependencies');
  });

  it('is given everything that it copies, and builds with it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'evergrant-image-'));
    try {
      withImageContext((context) => follow(stages[0] ?? '', { context, folder }));
      for (const entry of ['main', 'migrate']) {
        const file = join(folder, 'dist/server', `${entry}.js`);
        expect(foreign(readFileSync(file, 'utf8')).filter((name) => !(name in dependencies))).toEqual([]);
        // Without its settings it says which; anything else would be a part of it that is not there.
        const { stderr } = spawnSync(process.execPath, [file], { env: {}, encoding: 'utf8' });
        expect(stderr).toContain('the environment is not usable');
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }, 120_000);

  it('asks /livez whether it lives', () => {
    expect(last).toMatch(/HEALTHCHECK[\s\S]+\/livez/);
  });
});

/** Does what a stage's COPY and RUN say, but for installing: the libraries are the ones that are installed here. */
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

/** The libraries that a bundle asks for. */
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
