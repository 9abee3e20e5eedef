import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { STACK_POLICY } from '../../lib/protection/unsafe-changes';
import { STACKS } from '../../lib/stacks/deployment';

const ROOT = join(__dirname, '../..');
const EMPTY = JSON.stringify({ Resources: {} });
let server: Server;
let endpoint = '';
let folder = '';
/** Received CloudFormation calls, in order. */
let asked: { action: string; stack: string; policy: string | null }[] = [];
let missing: string[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'evergrant-policies-'));
  for (const name of Object.values(STACKS)) writeFileSync(join(folder, `${name}.template.json`), EMPTY);
  server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const query = new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
      const [action, stack] = [query.get('Action'), query.get('StackName') ?? ''];
      if (action === null) {
        // A call of the authority table, which this test denies.
        outgoing.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' });
        outgoing.end(JSON.stringify({ __type: 'AccessDeniedException', message: 'no' }));
        return;
      }
      asked.push({ action, stack, policy: query.get('StackPolicyBody') });
      if (missing.includes(stack)) {
        const what = `<Code>ValidationError</Code><Message>Stack [${stack}] does not exist</Message>`;
        outgoing
          .writeHead(400, { 'content-type': 'text/xml' })
          .end(`<ErrorResponse><Error>${what}</Error></ErrorResponse>`);
        return;
      }
      const result = `<${action}Result><TemplateBody>${EMPTY}</TemplateBody></${action}Result>`;
      outgoing.writeHead(200, { 'content-type': 'text/xml' }).end(`<${action}Response>${result}</${action}Response>`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  asked = [];
  missing = [];
});

function run(program: string, ...args: readonly string[]): Promise<{ code: number; output: string }> {
  const env = {
    PATH: process.env.PATH,
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    CDK_OUTDIR: folder,
  };
  const tsx = join(ROOT, 'node_modules/tsx/dist/cli.mjs');
  return new Promise((resolve) => {
    execFile(process.execPath, [tsx, program, ...args], { cwd: ROOT, env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
}

describe('stack policies', () => {
  it('are set after every deploy, including the first', async () => {
    const text = readFileSync(join(ROOT, 'package.json'), 'utf8');
    const { scripts } = JSON.parse(text) as { scripts: Record<string, string> };
    expect(scripts['postdeploy:aws']).toBe('tsx bin/protect.ts');
    expect(await run('bin/protect.ts')).toMatchObject({ code: 0 });
    expect(asked.map(({ action, stack }) => `${action} ${stack}`).sort()).toEqual(
      Object.values(STACKS)
        .map((stack) => `SetStackPolicy ${stack}`)
        .sort(),
    );
    for (const { policy } of asked) expect(JSON.parse(policy ?? '')).toEqual(STACK_POLICY);
  }, 60_000);

  it('skip a stack that is not deployed yet', async () => {
    missing = [STACKS.virginiaInterconnect, STACKS.oregonInterconnect];
    const { code, output } = await run('bin/protect.ts');
    expect(code).toBe(0);
    expect(output).not.toContain(`${STACKS.oregonInterconnect} is protected`);
    expect(output).toContain(`${STACKS.oregon} is protected`);
  }, 60_000);

  it('are not changed by the guard, which only reads, even when it refuses', async () => {
    const { code, output } = await run('bin/guard.ts');
    expect(code).toBe(1);
    expect(output).toContain('do not');
    expect([...new Set(asked.map(({ action }) => action))]).toEqual(['GetTemplate']);
  }, 60_000);
});
