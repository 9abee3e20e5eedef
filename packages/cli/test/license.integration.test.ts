import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ProcessResult, runProgram } from '@evergrant/test-support/running-world';
import { type RunningServer, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';

jest.setTimeout(180_000);

/** A vendor's folder with keys, a certificate and a license, all created with the command. */
let folder: string;
let world: TestWorld;
let server: RunningServer;
let environment: Record<string, string>;

const at = (name: string): string => join(folder, name);
const read = (name: string): string => readFileSync(at(name), 'utf8');
const license = (...argv: string[]): Promise<ProcessResult> =>
  runProgram('packages/cli/bin.js', ['license', ...argv], environment);
const PRODUCT = `Assembler ${randomUUID()}`;
const DOCUMENT = {
  licenseId: 'acme-1',
  issue: 1,
  customer: 'Acme',
  product: PRODUCT,
  kind: 'cloud',
  validFrom: '2020-01-01T00:00:00Z',
  validUntil: '2090-01-01T00:00:00Z',
  entitlements: [{ feature: 'studio', seats: 10 }],
};

async function must(...argv: string[]): Promise<ProcessResult> {
  const result = await license(...argv);
  expect([result.code, result.stderr]).toEqual([0, '']);
  return result;
}

async function issue(name: string, changed: object, ...more: string[]): Promise<string> {
  writeFileSync(at(`${name}.json`), JSON.stringify({ ...DOCUMENT, ...changed }));
  const signer = ['--key', at('vendor.private.jwk'), '--certificate', at('vendor.certificate')];
  await must('issue', '--from', at(`${name}.json`), ...signer, ...more, '--out', at(`${name}.license`));
  return at(`${name}.license`);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'evergrant-vendor-'));
  environment = { EVERGRANT_HOME: folder };
  for (const role of ['root', 'vendor', 'deployment']) await must('keygen', role, '--out', at(role));
  await must('keygen', 'license-key', '--out', at('license-key'));
  const certify = ['--root', at('root.private.jwk'), '--key', at('vendor.public.jwk')];
  await must('certify', ...certify, '--valid-until', '365d', '--out', at('vendor.certificate'));
  await must('trust', '--root', at('root.public.jwk'), '--out', at('trust.json'));

  world = await TestWorld.create();
  const { roots } = JSON.parse(read('trust.json'));
  server = await world.startGranting({
    trust: { roots, withdrawnKeys: [], keygenPublicKeys: [] },
    deploymentKeys: [JSON.parse(read('deployment.private.jwk'))],
    authorityLeaseMs: 60_000,
  });
  writeFileSync(at('admin.token'), TOKENS.admin, { mode: 0o600 });
  environment = { ...environment, EVERGRANT_SERVER_URL: server.address, EVERGRANT_TOKEN_FILE: at('admin.token') };
});

afterAll(async () => {
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

it('license keygen: writes keys readable by their owner only, and prints none', async () => {
  const { stdout } = await must('keygen', 'vendor', '--out', at('another'), '--json');
  const { d, kid } = JSON.parse(read('another.private.jwk'));
  expect(JSON.parse(stdout)).toMatchObject({ role: 'vendor', kid });
  expect(stdout).not.toContain(d);
  expect(read('another.public.jwk')).not.toContain(d);
  for (const name of readdirSync(folder).filter((each) => /private|license-key|token/.test(each))) {
    expect([name, statSync(at(name)).mode & 0o777]).toEqual([name, 0o600]);
  }
});

it('license keygen: never overwrites a file', async () => {
  const before = read('root.private.jwk');
  expect(await license('keygen', 'root', '--out', at('root'))).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('already exists'),
  });
  writeFileSync(at('half.public.jwk'), 'mine');
  expect((await license('keygen', 'root', '--out', at('half'))).code).toBe(2);
  expect(existsSync(at('half.private.jwk'))).toBe(false);
  expect(read('root.private.jwk')).toBe(before);
});

it('license: the steps of the help lead from keys to a license in force', async () => {
  const file = await issue('acme', {}, '--license-key', at('license-key'));
  expect((await must('inspect', file)).stdout).toMatch(
    /Not verified: anyone can write such a file[\s\S]*acme-1, issue 1[\s\S]*studio {2,}10/,
  );
  const verified = await must('verify', file, '--root', at('root.public.jwk'));
  expect(verified.stdout).toContain('Valid: signed with the vendor key');
  expect((await must('import', file)).stdout).toContain('License acme-1 of Acme');
  expect((await must('import', file)).stdout).toContain('was already in force');
  expect((await must('list')).stdout).toMatch(/acme-1 +1 +Acme[^\n]*10 studio/);
  const body = { product: PRODUCT, feature: 'studio', seats: 10, holder: 'room' };
  expect((await server.call('PUT', `/v1/leases/${randomUUID()}`, body)).status).toBe(201);
  // Only the customer has the license key.
  for (const said of [read('acme.license'), verified.stdout]) expect(said).not.toContain(read('license-key').trim());
});

it('license issue: encrypts for a deployment, which alone can read the file', async () => {
  const file = await issue('sealed', { licenseId: 'sealed-1' }, '--encrypt-to', at('deployment.public.jwk'));
  const outside = await must('inspect', file);
  expect(outside.stdout).toMatch(/Encrypted to the deployment key \S+\.[\s\S]*cannot be opened/);
  expect(outside.stdout).not.toContain('Acme');
  expect((await must('inspect', file, '--deployment-key', at('deployment.private.jwk'))).stdout).toContain('Acme');
  expect((await must('import', file)).stdout).toContain('sealed-1');
});

it('license issue: encrypts with the license key, which the import reads from a file', async () => {
  const key = ['--license-key', at('license-key')];
  const file = await issue('keyed', { licenseId: 'acme-1', issue: 2 }, ...key, '--encrypt-with-license-key');
  expect(await license('import', file)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('license_not_for_this_deployment'),
  });
  expect((await must('import', file, ...key)).stdout).toContain('issue 2 is in force');
});

it('license inspect: prints a document that the next issue can start from', async () => {
  const file = await issue('first', { licenseId: 'next-1' });
  const document = JSON.parse((await must('inspect', file, '--document')).stdout);
  await issue('second', { ...document, issue: 2 });
  expect(JSON.parse((await must('inspect', at('second.license'), '--json')).stdout)).toMatchObject({
    verified: false,
    document: { value: { licenseId: 'next-1', issue: 2 } },
  });
});

describe('license verify exits with 1 and the code', () => {
  const verify = async (file: string, ...more: string[]) => {
    const { code, stdout } = await license('verify', file, '--root', at('root.public.jwk'), ...more, '--json');
    return [code, JSON.parse(stdout).error?.code];
  };

  it('of each kind of rejected file', async () => {
    const file = await issue('plain', { licenseId: 'plain-1', validUntil: '2090-01-01T00:00:00Z' });
    writeFileSync(at('tampered.license'), read('plain.license').replace(/.{9}\n-----END/, 'AAAAAAAAA\n-----END'));
    writeFileSync(at('garbage.license'), 'Dear customer,');
    await must('keygen', 'root', '--out', at('stranger'));
    const servers = ['site/alpha', 'site/beta', 'site/gamma'];
    const redundant = await issue('redundant', { licenseId: 'red-1', kind: 'redundant', servers });
    const sealed = await issue('other', { licenseId: 'other-1' }, '--encrypt-to', at('deployment.public.jwk'));
    expect(await verify(file)).toEqual([0, undefined]);
    expect(await verify(at('tampered.license'))).toEqual([1, 'license_tampered']);
    expect(await verify(at('garbage.license'))).toEqual([1, 'license_unreadable']);
    expect(await verify(file, '--at', '2091-01-01')).toEqual([1, 'license_key_expired']);
    expect(await verify(redundant, '--server', 'site/delta')).toEqual([1, 'license_wrong_server']);
    expect(await verify(sealed)).toEqual([1, 'license_not_for_this_deployment']);
    const { kid } = JSON.parse(read('vendor.public.jwk'));
    expect(await verify(file, '--withdraw', kid)).toEqual([1, 'license_unknown_key']);
    const stranger = await license('verify', file, '--root', at('stranger.public.jwk'));
    expect([stranger.code, stranger.stderr]).toEqual([
      1,
      expect.stringContaining('license_unknown_key: the signing key'),
    ]);
  });
});

describe('license reports errors', () => {
  it('of each member of the document, and writes nothing', async () => {
    writeFileSync(
      at('bad.json'),
      JSON.stringify({ ...DOCUMENT, kind: 'site', entitlements: [{ feature: 'x', seats: -1 }] }),
    );
    const signer = ['--key', at('vendor.private.jwk'), '--certificate', at('vendor.certificate')];
    const { code, stderr } = await license('issue', '--from', at('bad.json'), ...signer, '--out', at('bad.license'));
    expect(code).toBe(2);
    expect(stderr).toContain('- kind must be cloud or guid or redundant');
    expect(stderr).toContain('- entitlements.0.seats must be a whole number');
    expect(existsSync(at('bad.license'))).toBe(false);
  });

  it('of a key with the wrong role, without quoting the key', async () => {
    const signer = ['--key', at('root.private.jwk'), '--certificate', at('vendor.certificate')];
    writeFileSync(at('fine.json'), JSON.stringify(DOCUMENT));
    const wrong = await license('issue', '--from', at('fine.json'), ...signer, '--out', at('x.license'));
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      expect.stringContaining('must be a vendor key, but it is a root key'),
    ]);
    const certify = ['--root', at('root.private.jwk'), '--valid-until', '1d', '--out', at('x.certificate')];
    const secret = await license('certify', '--key', at('vendor.private.jwk'), ...certify);
    expect(secret.stderr).toContain('it is a private key');
    expect(secret.stderr).not.toContain(JSON.parse(read('vendor.private.jwk')).d);
  });

  it.each([
    [['verify', 'x.license'], 'Set the trusted signers'],
    [['inspect', 'nowhere.license'], 'nowhere.license cannot be read (ENOENT)'],
    [['keygen', 'rsa', '--out', 'x'], 'There is no key type "rsa"'],
    [['certify', '--root', 'r', '--key', 'k', '--valid-until', 'soon', '--out', 'x'], 'r cannot be read'],
  ])('%p', async (argv, sentence) => {
    expect(await license(...argv)).toMatchObject({ code: 2, stderr: expect.stringContaining(sentence) });
  });

  it('of the server with the code and the action', async () => {
    const file = await issue('late', { licenseId: 'late-1', issue: 3 });
    const early = await issue('early', { licenseId: 'late-1', issue: 2 });
    await must('import', file);
    expect(await license('import', early)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^license_replayed: .*Import the newest file from the vendor/),
    });
    expect((await license('import', at('garbage.license'))).code).toBe(1);
  });
});
