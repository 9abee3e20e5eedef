import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findFreeBasePort } from '@evergrant/local-cluster/world/ports';
import type { WorldFile } from '@evergrant/local-cluster/world/world-file';

const ROOT = join(__dirname, '../../..');
const START_LIMIT_MS = 60_000;
const ANSWER_LIMIT_MS = 20_000;

interface CallOptions {
  readonly body?: unknown;
  /** @default the world's client token; null none */
  readonly token?: string | null;
  /** @default the edge */
  readonly at?: string;
}

export interface ProcessResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program of dist/ to its end, as a user would, and keeps what it says. */
export function runProgram(
  entry: string,
  argv: readonly string[],
  env: Record<string, string>,
): Promise<ProcessResult> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(ROOT, entry), ...argv], {
      env: { ...process.env, NO_COLOR: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** A local cluster as `npm start` starts it, in a separate folder and on separate ports, with the drills' tempo. */
export class RunningWorld {
  readonly home = mkdtempSync(join(tmpdir(), 'evergrant-test-'));
  basePort = 0;
  output = '';
  private child: ChildProcess | undefined;
  private exited: Promise<number | null> = Promise.resolve(null);

  get env(): Record<string, string> {
    return { EVERGRANT_HOME: this.home, EVERGRANT_PORT: String(this.basePort) };
  }

  get file(): WorldFile {
    return JSON.parse(readFileSync(join(this.home, 'world.json'), 'utf8')) as WorldFile;
  }

  get pid(): number {
    return this.child?.pid ?? -1;
  }

  /** Resolves when world.json is there: everything runs and the edge grants. */
  async start(...argv: string[]): Promise<void> {
    this.basePort ||= await findFreeBasePort();
    const entry = join(ROOT, 'dist/local-cluster/main.js');
    const child = spawn(process.execPath, [entry, '--profile', 'fast', '--rooms', '0', ...argv], {
      env: { ...process.env, NO_COLOR: '1', ...this.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        this.output += chunk;
      });
    }
    let ended = false;
    this.exited = new Promise((resolve) => {
      child.on('close', (code) => {
        ended = true;
        resolve(code);
      });
    });
    await until('the world is up', START_LIMIT_MS, () => {
      if (ended) throw new Error(`the world ended while starting:\n${this.output}`);
      // After a crash the old file stands there until the new world has taken the folder over.
      return existsSync(join(this.home, 'world.json')) && this.file.world.pid === child.pid;
    });
  }

  /** Ends it as Ctrl-C does. Resolves to the exit code. */
  async stop(): Promise<number | null> {
    this.child?.kill('SIGINT');
    return this.exited;
  }

  /** SIGKILL of the main process and, with `children`, of everything that world.json names. */
  async crash({ children }: { children: boolean }): Promise<void> {
    const pids = children ? this.file.processes.flatMap(({ pid }) => pid ?? []) : [];
    this.child?.kill('SIGKILL');
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It had ended.
      }
    }
    await this.exited;
  }

  /** `npx evergrant …` in this world. */
  evergrant(...argv: string[]): Promise<ProcessResult> {
    return runProgram('packages/local-cluster/bin.js', argv, this.env);
  }

  /** Calls the public address or another one. The call is repeated while no server answers in time, as clients do. */
  async call(method: string, path: string, options: CallOptions = {}) {
    const deadline = performance.now() + ANSWER_LIMIT_MS;
    let answer = await this.callOnce(method, path, options);
    while (answer.status === 504 && performance.now() < deadline) answer = await this.callOnce(method, path, options);
    return answer;
  }

  private async callOnce(method: string, path: string, options: CallOptions) {
    const { tokens, edge } = this.file;
    const token = options.token === undefined ? tokens.client : options.token;
    const response = await fetch(`${options.at ?? edge}${path}`, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined };
  }

  /** Whatever state it is in: nothing of it is left afterwards. */
  async dispose(): Promise<void> {
    await this.stop();
    rmSync(this.home, { recursive: true, force: true });
  }
}

export async function until(what: string, limitMs: number, check: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${limitMs} ms`);
    await new Promise((resume) => setTimeout(resume, 50));
  }
}
