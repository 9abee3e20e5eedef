import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

interface Import {
  readonly file: string;
  readonly specifier: string;
}

const ROOT = join(__dirname, '..');
const readJson = <Json>(file: string): Json => JSON.parse(readFileSync(join(ROOT, file), 'utf8')) as Json;

const FOLDERS = ['packages', 'verification'].flatMap((parent) =>
  readdirSync(join(ROOT, parent))
    .map((name) => join(parent, name))
    .filter((folder) => existsSync(join(ROOT, folder, 'package.json'))),
);
const PACKAGES = FOLDERS.map((folder) => ({ folder, manifest: readJson<Manifest>(join(folder, 'package.json')) }));
const MANIFEST_OF = new Map(PACKAGES.map(({ manifest }) => [manifest.name, manifest]));
const BUILT_IN = new Set(builtinModules);
/** An exact version, or an alias of one. */
const EXACT = /^(npm:(@[\w.-]+\/)?[\w.-]+@)?\d+\.\d+\.\d+(-[\w.]+)?$/;
/** Packages that are part of the server's image. */
const IMAGE = ['authority-store', 'core', 'formats', 'server'];

const SOURCES = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.ts'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(ROOT, file)));

function importsIn(folder: string): Import[] {
  return SOURCES.filter((file) => file.startsWith(`${folder}/`)).flatMap((file) => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    const found = text.matchAll(
      /^(?:import|export)\s(?:[\w\s{},*$]*?\sfrom\s)?'([^'\n]+)';$|\b(?:import|require)\('([^'\n]+)'\)/gm,
    );
    return [...found].map(([, first, second]) => ({ file, specifier: first ?? second ?? '' }));
  });
}

/** `@scope/name` or `name` of an import of another package. */
function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function runtimeDependencies(name: string): string[] {
  const names = Object.keys(MANIFEST_OF.get(name)?.dependencies ?? {});
  return names.filter((dependency) => MANIFEST_OF.has(dependency));
}

/** All packages of the repository that a package needs at run time, including itself. */
function closureOf(name: string, seen = new Set<string>()): Set<string> {
  if (seen.has(name)) return seen;
  seen.add(name);
  for (const dependency of runtimeDependencies(name)) closureOf(dependency, seen);
  return seen;
}

describe.each(PACKAGES)('layout: $folder', ({ folder, manifest }) => {
  const imports = importsIn(folder);

  it('imports relative paths only inside the package', () => {
    const outside = imports
      .filter(({ specifier }) => specifier.startsWith('.'))
      .filter(({ file, specifier }) =>
        relative(join(ROOT, folder), resolve(ROOT, dirname(file), specifier)).startsWith('..'),
      );
    expect(outside).toEqual([]);
  });

  it('imports only packages that the manifest names', () => {
    const named = new Set([
      manifest.name,
      ...Object.keys(manifest.dependencies ?? {}),
      ...Object.keys(manifest.devDependencies ?? {}),
    ]);
    const foreign = imports
      .filter(({ specifier }) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
      .filter(({ specifier }) => !BUILT_IN.has(specifier) && !named.has(packageOf(specifier)));
    expect(foreign).toEqual([]);
  });

  it('is not in a cycle of runtime dependencies', () => {
    const behind = runtimeDependencies(manifest.name).filter((name) => closureOf(name).has(manifest.name));
    expect(behind).toEqual([]);
  });

  it('pins exact versions', () => {
    const ranges = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(
      ([, version]) => !EXACT.test(version),
    );
    expect(ranges).toEqual([]);
  });
});

describe('layout: the image of the server', () => {
  it('contains no controller and no CLI', () => {
    const needed = [...closureOf('@evergrant/server')].sort();
    expect(needed).toEqual(IMAGE.map((name) => `@evergrant/${name}`));
  });

  it('copies the packages that the server needs, and no others', () => {
    const dockerfile = readFileSync(join(ROOT, 'packages/server/Dockerfile'), 'utf8');
    const copied = [...dockerfile.matchAll(/^COPY (packages\/\S+?)(?:\/package\.json)? /gm)].map(([, path]) => path);
    expect([...new Set(copied)].sort()).toEqual(IMAGE.map((name) => `packages/${name}`));
  });
});

it('layout: product packages need no verification package at run time', () => {
  const verification = new Set(
    PACKAGES.filter(({ folder }) => folder.startsWith('verification/')).map(({ manifest }) => manifest.name),
  );
  const products = PACKAGES.filter(({ folder }) => folder.startsWith('packages/'));
  for (const { manifest } of products) {
    expect([...closureOf(manifest.name)].filter((name) => verification.has(name))).toEqual([]);
  }
});

it('layout: the CLI does not need the local cluster', () => {
  expect([...closureOf('@evergrant/cli')]).not.toContain('@evergrant/local-cluster');
});

it('layout: the root manifest pins exact versions', () => {
  const { dependencies, devDependencies } = readJson<Manifest>('package.json');
  const ranges = Object.entries({ ...dependencies, ...devDependencies }).filter(([, version]) => !EXACT.test(version));
  expect(ranges).toEqual([]);
});

it('layout: the lock file holds no address of a registry', () => {
  const { packages } = readJson<{ packages: Record<string, { resolved?: string }> }>('package-lock.json');
  const addresses = Object.values(packages).filter(({ resolved }) => /^https?:/.test(resolved ?? ''));
  expect(addresses).toEqual([]);
});
