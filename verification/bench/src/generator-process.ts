import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from '@evergrant/local-cluster/world/files';
import type { GeneratorEvent, GeneratorRequest, IdleSessionsRequest, LoadRequest, Measured } from './messages';

/** Called at the ends of the measured stretch. */
export interface Stretch {
  readonly onCounting: () => void;
  readonly onCounted: () => void;
}

const NO_STRETCH: Stretch = { onCounting: () => undefined, onCounted: () => undefined };

/** The load generator in a separate process. It runs one order at a time. */
export class GeneratorProcess {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(join(projectRoot(), 'dist/bench/generator.js'), {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  async measure(request: LoadRequest, stretch: Stretch): Promise<Measured> {
    const notice = await this.#execute(request, stretch);
    if (notice.kind !== 'measured') throw new Error(`the load generator answered ${notice.kind}`);
    return notice.measured;
  }

  /** Resolves when the sessions are open; they stay so until the next order. */
  async openSessions(request: IdleSessionsRequest): Promise<void> {
    await this.#execute(request, NO_STRETCH);
  }

  stop(): void {
    if (this.#child.connected) this.#child.disconnect();
  }

  #execute(request: GeneratorRequest, stretch: Stretch): Promise<GeneratorEvent> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null): void => reject(new Error(`the load generator ended with ${code}`));
      const hear = (notice: GeneratorEvent): void => {
        switch (notice.kind) {
          case 'counting':
            stretch.onCounting();
            break;
          case 'counted':
            stretch.onCounted();
            break;
          case 'failed':
            finish();
            reject(new Error(`the load generator: ${notice.because}`));
            break;
          case 'measured':
          case 'open':
            finish();
            resolve(notice);
            break;
        }
      };
      const finish = (): void => {
        this.#child.off('message', hear);
        this.#child.off('exit', ended);
      };
      this.#child.on('message', hear);
      this.#child.on('exit', ended);
      this.#child.send(request);
    });
  }
}
