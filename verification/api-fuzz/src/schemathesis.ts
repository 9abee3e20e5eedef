import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '@evergrant/local-cluster/world/files';

export interface FuzzRun {
  /** The folder of Schemathesis's commands. */
  readonly bin: string;
  readonly documentFile: string;
  readonly address: string;
  /** Absent: the requests of a stranger. */
  readonly token: string | undefined;
  readonly seed: number;
  /** Of Schemathesis's phases. */
  readonly phases: string;
  readonly examplesMax: number;
  /** Given, fuzzing is repeated until it is spent, whatever the count. */
  readonly spendSeconds: number | undefined;
  /** A folder for what Schemathesis leaves behind. */
  readonly scratch: string;
}

export interface FuzzResult {
  /** What broke, in one line each; empty when every answer was as the document says. */
  readonly findings: readonly string[];
  readonly operations: number;
  readonly requests: number;
  /** Everything that Schemathesis said: how each finding is made again, too. */
  readonly output: string;
}

interface Report {
  readonly complete: boolean;
  readonly operations: { readonly total: number; readonly tested: number };
  readonly test_cases: { readonly generated: number };
  readonly failures: readonly { readonly code: string; readonly title: string; readonly operations: string[] }[];
  readonly errors: readonly { readonly title?: string; readonly operations?: string[] }[];
}

/** How long a run may take beyond the time it was given to spend; then it is ended, and that is a finding. */
const OVERTIME_MS = 300_000;

/** One run over every endpoint with one token. The token travels in the environment: argv can be read by everybody. */
export async function fuzz(run: FuzzRun): Promise<FuzzResult> {
  const reportFile = join(run.scratch, 'report.json');
  const options = [
    ['--url', run.address],
    ['--checks', 'all'],
    ['--phases', run.phases],
    ['--max-examples', String(run.examplesMax)],
    run.spendSeconds === undefined ? [] : ['--max-time', String(run.spendSeconds)],
    ['--seed', String(run.seed)],
    ['--report', 'json'],
    ['--report-json-path', reportFile],
  ].flat();
  const config = join(projectRoot(), 'verification/api-fuzz/src/schemathesis.toml');
  const argv = ['--no-color', '--config-file', config, 'run', run.documentFile, ...options];
  const { code, output } = await execute(join(run.bin, 'schemathesis'), argv, run);
  const report = reportIn(reportFile);
  if (!report) {
    const finding = `Schemathesis did not get to its end (${code === null ? 'it took too long and was ended' : code})`;
    return { findings: [finding], operations: 0, requests: 0, output };
  }
  return { ...judge(report, code), output };
}

/** Undefined when there is none, or only the beginning of one. */
function reportIn(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report;
  } catch {
    return undefined;
  }
}

function judge({ operations, test_cases: { generated }, failures, errors }: Report, code: number | null) {
  const findings = [
    ...failures.map((failure) => `${failure.title} (${failure.code}): ${failure.operations.join(', ')}`),
    ...errors.map((error) => `${error.title ?? 'error'}: ${(error.operations ?? []).join(', ')}`),
  ];
  // Whatever was not asked was not found well.
  if (operations.tested < operations.total) {
    findings.push(`${operations.total - operations.tested} of ${operations.total} operations were not reached in time`);
  }
  if (code !== 0 && findings.length === 0) findings.push(`Schemathesis ended with ${code}`);
  return { findings, operations: operations.tested, requests: generated };
}

function execute(
  command: string,
  argv: readonly string[],
  { token, spendSeconds = 0, scratch }: FuzzRun,
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, argv, {
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        PYTHONHASHSEED: '0',
        EVERGRANT_FUZZ_AUTHORIZATION: token === undefined ? 'none' : `Bearer ${token}`,
      },
      cwd: scratch,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: spendSeconds * 1_000 + OVERTIME_MS,
      killSignal: 'SIGKILL',
    });
    let output = '';
    const keep = (chunk: Buffer): void => {
      output += chunk;
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}
