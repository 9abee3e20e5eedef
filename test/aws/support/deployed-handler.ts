import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OperatorEventResult } from '@evergrant/controller/aws/operator-events';
import type { FaultProxy } from './fault-proxy';

/** Longest run of an invocation, shorter than the timeout of Lambda. */
const REMAINING_MS = '24000';

export interface DeployedHandlerOptions {
  /** The environment of the template. */
  readonly bundle: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly answerFile: string;
  /** A proxy between the handler and the emulator. */
  readonly proxy: FaultProxy;
}

/** The bundled handler of the controller. Each invocation is a separate process. */
export class DeployedHandler {
  readonly #options: DeployedHandlerOptions;
  /** The output of all invocations. */
  readonly log: string[] = [];

  constructor(options: DeployedHandlerOptions) {
    this.#options = options;
  }

  /**
   * One invocation by the schedule or with an order. `killAfterCalls` kills its process after that many answered calls.
   */
  async invoke(
    event: object = {},
    { killAfterCalls }: { killAfterCalls?: number } = {},
  ): Promise<OperatorEventResult | null> {
    const { bundle, environment, answerFile, proxy } = this.#options;
    const program = ['--require', join(__dirname, 'hosts.cjs'), join(__dirname, 'invoke.cjs')];
    const args = [...program, bundle, REMAINING_MS, JSON.stringify(event), answerFile];
    const env = { PATH: process.env.PATH, ...environment };
    return new Promise((resolve, reject) => {
      const child = execFile(process.execPath, args, { env, maxBuffer: 1e8 }, (error, stdout, stderr) => {
        this.log.push(stdout, stderr);
        if (killAfterCalls !== undefined) resolve(null);
        else if (error !== null) reject(new Error(`${error.message}\n${stdout}\n${stderr}`));
        else resolve(JSON.parse(readFileSync(answerFile, 'utf8')) as OperatorEventResult | null);
      });
      if (killAfterCalls === undefined) return;
      let answered = 0;
      proxy.onAnswered = () => {
        answered += 1;
        if (answered === killAfterCalls) child.kill('SIGKILL');
      };
    });
  }

  /**
   * Invokes as the schedule does until `done` holds. It continues when an invocation fails because AWS did not answer.
   * Any other failure is a defect and is thrown.
   */
  async invokeUntil(
    what: string,
    done: () => Promise<boolean>,
    { invocationsMax = 30, killAfterCalls }: { invocationsMax?: number; killAfterCalls?: (n: number) => number } = {},
  ): Promise<void> {
    for (let n = 1; n <= invocationsMax; n += 1) {
      const how = killAfterCalls === undefined ? {} : { killAfterCalls: killAfterCalls(n) };
      await this.invoke({}, how).catch((failure: Error) => {
        if (!failure.message.includes('"name":"OperatingError"')) throw failure;
      });
      if (await done()) return;
    }
    throw new Error(`not after ${invocationsMax} invocations: ${what}\n${this.log.slice(-8).join('\n')}`);
  }
}
