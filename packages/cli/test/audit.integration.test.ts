import { randomUUID } from 'node:crypto';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@evergrant/test-support/eventually';
import { runProgram } from '@evergrant/test-support/running-world';
import { PRODUCT, type RunningServer, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';
import { isCovered } from '@evergrant/test-support/server/verify-command';

let world: TestWorld;
let server: RunningServer;
let folder: string;
let environment: Record<string, string>;
let leaseId: string;

beforeAll(async () => {
  world = await TestWorld.create();
  server = await world.startGranting({ checkpointEveryMs: 200 });
  folder = mkdtempSync(join(tmpdir(), 'evergrant-audit-'));
  const tokenFile = join(folder, 'reader.token');
  writeFileSync(tokenFile, TOKENS.reader, { mode: 0o600 });
  environment = { EVERGRANT_SERVER_URL: server.address, EVERGRANT_TOKEN_FILE: tokenFile, EVERGRANT_HOME: folder };
  leaseId = randomUUID();
  const body = { product: PRODUCT, feature: 'studio', seats: 10, holder: '@SUM(A1)' };
  await server.call('PUT', `/v1/leases/${leaseId}`, body);
  await server.call('PUT', `/v1/leases/${randomUUID()}`, body);
  await eventually('everything has a checkpoint', () => isCovered(server), { deadlineMs: 20_000, everyMs: 100 });
});

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await world.close();
});

const evergrant = (...argv: string[]) => runProgram('packages/cli/bin.js', argv, environment);
const json = async (...argv: string[]) => JSON.parse((await evergrant(...argv, '--json')).stdout);
const path = (name: string) => join(folder, name);

describe('evergrant audit verify', () => {
  it('reports that no changes were found', async () => {
    const { code, stdout } = await evergrant('audit', 'verify');
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^No changes found: \d+ events in 4 chains, /),
    });
    expect(await json('audit', 'verify')).toMatchObject({ intact: true, findings: [], summary: { chains: 4 } });
  });

  it('exits with 1 and explains each finding', async () => {
    await world.database.as('evergrant_admin', (client) =>
      client.query(`alter table audit_event disable trigger audit_only_grows;
        update audit_event set actor = 'nobody' where kind = 'lease_granted';
        alter table audit_event enable always trigger audit_only_grows`),
    );
    const { code, stdout } = await evergrant('audit', 'verify');
    expect(code).toBe(1);
    expect(stdout).toContain('event_changed');
    expect(stdout).toMatch(/pool\/\d+: event 2 was changed: its content does not match its hash/);
    expect(stdout).toContain('means: an event was changed after it was written');
    expect(await json('audit', 'verify')).toMatchObject({
      intact: false,
      findings: [{ code: 'event_changed', seq: 2 }],
    });
    await world.database.as('evergrant_admin', (client) =>
      client.query(`alter table audit_event disable trigger audit_only_grows;
        update audit_event set actor = 'client' where kind = 'lease_granted';
        alter table audit_event enable always trigger audit_only_grows`),
    );
  });

  it('names missing options and unusable files', async () => {
    for (const argv of [
      ['--file', path('x')],
      ['--checkpoints', path('x')],
      ['--file', path('x'), '--checkpoints', path('x'), '--jwks', path('x')],
    ]) {
      const { code, stderr } = await evergrant('audit', 'verify', ...argv);
      expect([code, stderr.length > 20]).toEqual([2, true]);
    }
    expect(
      (
        await runProgram('packages/cli/bin.js', ['audit', 'verify'], {
          ...environment,
          EVERGRANT_SERVER_URL: 'http://127.0.0.1:1',
        })
      ).code,
    ).toBe(3);
  });
});

describe('evergrant audit export', () => {
  const proof = () => ['--checkpoints', path('checkpoints.jsonl'), '--jwks', path('jwks.json')];

  it('writes an export that is verified without a server', async () => {
    expect((await evergrant('audit', 'export', '--out', path('log.jsonl'), ...proof())).code).toBe(0);
    const alone = { EVERGRANT_HOME: folder, EVERGRANT_SERVER_URL: '', EVERGRANT_TOKEN_FILE: '' };
    const verify = () =>
      runProgram('packages/cli/bin.js', ['audit', 'verify', '--file', path('log.jsonl'), ...proof()], alone);
    expect(await verify()).toMatchObject({ code: 0, stdout: expect.stringContaining('No changes found') });
    const whole = readFileSync(path('log.jsonl'), 'utf8');
    writeFileSync(path('log.jsonl'), whole.trimEnd().split('\n').slice(0, -1).join('\n').concat('\n'));
    expect(await verify()).toMatchObject({ code: 1, stdout: expect.stringContaining('chain_truncated') });
    writeFileSync(path('log.jsonl'), whole.replace('"seq":1,', '"seq":2,'));
    expect((await verify()).code).toBe(1);
    writeFileSync(path('log.jsonl'), whole);
    appendFileSync(path('log.jsonl'), 'more\n');
    expect(await verify()).toMatchObject({ code: 1, stdout: expect.stringContaining('unreadable') });
  });

  it('writes a section that is verified with --section', async () => {
    await evergrant(
      'audit',
      'export',
      '--chain',
      'system',
      '--out',
      path('part.jsonl'),
      '--checkpoints',
      path('c2.jsonl'),
      '--jwks',
      path('j2.json'),
    );
    const [first, ...rest] = readFileSync(path('part.jsonl'), 'utf8').trimEnd().split('\n');
    expect(rest.concat(first!).every((line) => JSON.parse(line).chain === 'system')).toBe(true);
    writeFileSync(path('part.jsonl'), `${rest.join('\n')}\n`);
    const verify = (...more: string[]) =>
      evergrant(
        'audit',
        'verify',
        '--file',
        path('part.jsonl'),
        '--checkpoints',
        path('c2.jsonl'),
        '--jwks',
        path('j2.json'),
        ...more,
      );
    expect((await verify('--section')).code).toBe(0);
    expect(await verify()).toMatchObject({ code: 1, stdout: expect.stringContaining('chain_headless') });
  });

  it('escapes formulas in CSV and never overwrites a file', async () => {
    const { stdout } = await evergrant('audit', 'export', '--format', 'csv', '--kind', 'lease_granted');
    expect(stdout.split('\n')).toHaveLength(3);
    expect(stdout).toContain(`,'@SUM(A1),10,10,`);
    writeFileSync(path('there.csv'), 'mine');
    expect(await evergrant('audit', 'export', '--out', path('there.csv'))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('already exists'),
    });
    expect(readFileSync(path('there.csv'), 'utf8')).toBe('mine');
    expect(existsSync(path('never.jsonl'))).toBe(false);
  });
});

describe('evergrant audit show', () => {
  it('lists the chains and the newest events of one chain', async () => {
    const { chains } = await json('audit', 'show');
    const studio = chains.find(({ feature }: { feature: string }) => feature === 'studio');
    expect(chains).toHaveLength(4);
    const { stdout } = await evergrant('audit', 'show', '--chain', studio.chain, '--limit', '2');
    expect(stdout.trim().split('\n')).toHaveLength(2);
    expect(stdout).toMatch(/lease_granted +client +@SUM\(A1\), 10 seats, 10 taken/);
    expect(stdout).toMatch(/denied +client .*code no_seat_available/);
    expect((await evergrant('audit', 'show', '--chain', 'pool/99')).code).toBe(1);
  });
});

describe('evergrant report', () => {
  it('prints usage, denials and holders as a table, JSON and CSV', async () => {
    const day = new Date().toISOString().slice(0, 10);
    expect((await evergrant('report', 'usage', '--since', day)).stdout).toMatch(
      new RegExp(`${day}  lic-1 +Assembler +studio +10 +`),
    );
    expect(await json('report', 'usage', '--since', day)).toMatchObject({ since: day, until: day });
    expect((await evergrant('report', 'denials')).stdout).toMatch(
      new RegExp(`${day}  lic-1 +Assembler +studio +no_seat_available +1 +10`),
    );
    const csv = (await evergrant('report', 'holders', '--csv')).stdout.trim().split('\n');
    expect(csv).toHaveLength(2);
    expect(csv[1]).toContain(`'@SUM(A1)`);
    expect(csv[1]).toContain(leaseId);
    expect((await json('report', 'holders', '--at', '2026-01-01T00:00:00Z')).holders).toEqual([]);
    expect((await evergrant('report', 'holders', '--at', '2026-01-01T00:00:00Z')).stdout).toContain(
      'The report is empty',
    );
  });

  it('names invalid options', async () => {
    expect(await evergrant('report', 'usage', '--since', 'yesterday')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('since'),
    });
    expect((await evergrant('report', 'usage', '--csv', '--json')).code).toBe(2);
  });
});
