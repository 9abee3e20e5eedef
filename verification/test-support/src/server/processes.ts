import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PROJECT = join(__dirname, '../../../..');

export interface Started {
  readonly child: ChildProcess;
  readonly lines: Record<string, unknown>[];
  output: string;
  readonly exited: Promise<number | null>;
}

/** Built processes of the server's, with a folder for the files that they are given. */
export class Processes {
  readonly folder = mkdtempSync(join(tmpdir(), 'evergrant-process-'));
  readonly #children: ChildProcess[] = [];

  start(entry: string, environment: Record<string, string>): Started {
    const child = spawn(process.execPath, [join(PROJECT, 'dist', 'server', entry)], {
      env: { PATH: process.env.PATH, ...environment },
    });
    this.#children.push(child);
    const started: Started = {
      child,
      lines: [],
      output: '',
      exited: new Promise((resolve) => child.once('exit', (code) => resolve(code))),
    };
    child.stdout?.on('data', (chunk) => {
      started.output += chunk;
      for (const line of String(chunk)
        .split('\n')
        .filter((text) => text.startsWith('{'))) {
        try {
          started.lines.push(JSON.parse(line) as Record<string, unknown>);
        } catch {
          // Half a line; the announcements looked for here arrive whole.
        }
      }
    });
    child.stderr?.on('data', (chunk) => {
      started.output += chunk;
    });
    return started;
  }

  file(name: string, content: unknown): string {
    const path = join(this.folder, name);
    writeFileSync(path, JSON.stringify(content), { mode: 0o600 });
    return path;
  }

  end(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}
