import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(__dirname, '../../..');
const SHIPPED = join(ROOT, 'dist/client');

/** Optional native modules that the WebSocket library loads when they are installed. */
const OPTIONAL = ['bufferutil', 'utf-8-validate'];

describe('the published package', () => {
  let host: string;

  beforeAll(() => {
    host = mkdtempSync(join(tmpdir(), 'evergrant-host-'));
    mkdirSync(join(host, 'node_modules/@evergrant'), { recursive: true });
    mkdirSync(join(host, 'node_modules/@types'));
    symlinkSync(SHIPPED, join(host, 'node_modules/@evergrant/client'));
    symlinkSync(join(ROOT, 'node_modules/@types/node'), join(host, 'node_modules/@types/node'));
    symlinkSync(join(ROOT, 'node_modules/undici-types'), join(host, 'node_modules/undici-types'));
  });

  afterAll(() => rmSync(host, { recursive: true }));

  it('is one file that requires only Node.js modules', () => {
    const code = readFileSync(join(SHIPPED, 'index.js'), 'utf8');
    const needed = [...code.matchAll(/\brequire\("([^"]+)"\)/g)].map(([, name = '']) => name.replace('node:', ''));
    expect(needed.length).toBeGreaterThan(0);
    expect(needed.filter((name) => !builtinModules.includes(name) && !OPTIONAL.includes(name))).toEqual([]);
  });

  it('contains no code of the server', () => {
    const code = readFileSync(join(SHIPPED, 'index.js'), 'utf8');
    expect(
      [...code.matchAll(/^\/\/ packages\/(server|local-cluster|controller|cli)\/.*$/gm)].map(([line]) => line),
    ).toEqual([]);
  });

  it('has types that import only types of Node', () => {
    const types = readFileSync(join(SHIPPED, 'index.d.ts'), 'utf8');
    expect(types).toContain('export declare class LicenseClient');
    const imported = [...types.matchAll(/\bfrom '([^']+)'|\bimport\('([^']+)'\)/g)].map(
      ([, from, type]) => from ?? type,
    );
    expect(imported.filter((name) => !builtinModules.includes(String(name).replace('node:', '')))).toEqual([]);
  });

  it.each([
    ['CommonJS', 'host.cjs', `const { LicenseClient } = require('@evergrant/client');`],
    ['an ES module', 'host.mjs', `import { LicenseClient } from '@evergrant/client';`],
  ])('is loaded by %s', (_kind, name, load) => {
    writeFileSync(join(host, name), `${load}\nprocess.stdout.write(typeof LicenseClient);`);
    expect(execFileSync(process.execPath, [join(host, name)], { encoding: 'utf8' })).toBe('function');
  });

  it('has types that compile in strict mode', () => {
    writeFileSync(
      join(host, 'host.ts'),
      `import { createLicenseClient, type Lease, LicenseClient, type LicenseEvent } from '@evergrant/client';
       const client = new LicenseClient({
         addresses: ['https://licenses.example.com'],
         controlRoom: { name: 'Kyoto', licenseKey: 'key' },
         stateFile: 'license.json',
         onEvent: (event: LicenseEvent) => { if (event.kind === 'lost') console.log(event.code); },
       });
       export const other: LicenseClient = createLicenseClient({ addresses: ['https://licenses.example.com'], token: 't', holder: 'h' });
       export async function login(): Promise<Lease | undefined> {
         const outcome = await client.checkout({ product: 'p', feature: 'f', queueMs: 1_000 });
         return outcome.kind === 'granted' ? outcome.lease : undefined;
       }
       // @ts-expect-error the type check must reject an invalid option
       client.checkout({ product: 7 });`,
    );
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--types', 'node', '--target', 'es2022'];
    const { stdout, status } = spawnSync(process.execPath, [tsc, ...flags, 'host.ts'], { cwd: host, encoding: 'utf8' });
    expect({ stdout, status }).toEqual({ stdout: '', status: 0 });
  });
});
