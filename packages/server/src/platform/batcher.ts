import { PROCESS_TIMERS, type Timers } from './timers';

/**
 * `each` holds one answer per request of the batch. `all` holds one answer for the batch and for every request that
 * still waits, because the next batch would fail in the same way.
 */
export type BatchOutcome<Answer> =
  | { readonly kind: 'each'; readonly answers: readonly Answer[] }
  | { readonly kind: 'all'; readonly answer: Answer };

interface Waiting<Request, Answer> {
  readonly request: Request;
  readonly answer: (answer: Answer) => void;
  readonly fail: (error: unknown) => void;
}

export interface BatcherOptions<Request, Answer> {
  readonly run: (requests: readonly Request[]) => Promise<BatchOutcome<Answer>>;
  readonly sizeMax: number;
  readonly waitingMax: number;
  /** The answer when `waitingMax` requests already wait. */
  readonly overloaded: Answer;
  /** @default the process's own */
  readonly timers?: Timers | undefined;
}

/**
 * Decides concurrent requests in one transaction. While one batch is in the database the next one collects, so batches
 * grow with the load, and no request waits for a batch to fill.
 */
export class Batcher<Request, Answer> {
  readonly #options: BatcherOptions<Request, Answer>;
  #waiting: Waiting<Request, Answer>[] = [];
  #running = false;

  constructor(options: BatcherOptions<Request, Answer>) {
    this.#options = options;
  }

  add(request: Request): Promise<Answer> {
    if (this.#waiting.length >= this.#options.waitingMax) return Promise.resolve(this.#options.overloaded);
    return new Promise((answer, fail) => {
      this.#waiting.push({ request, answer, fail });
      if (!this.#running) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#running = true;
    // Requests that were read from sockets in this turn of the event loop join the first batch.
    const { timers = PROCESS_TIMERS } = this.#options;
    await new Promise<void>((resolve) => timers.nextTurn(resolve));
    while (this.#waiting.length > 0) await this.#runOne(this.#waiting.splice(0, this.#options.sizeMax));
    this.#running = false;
  }

  async #runOne(batch: readonly Waiting<Request, Answer>[]): Promise<void> {
    try {
      const outcome = await this.#options.run(batch.map((waiting) => waiting.request));
      if (outcome.kind === 'all') {
        const alsoWaiting = this.#waiting;
        this.#waiting = [];
        for (const waiting of [...batch, ...alsoWaiting]) waiting.answer(outcome.answer);
        return;
      }
      batch.forEach((waiting, index) => {
        const answer = outcome.answers[index];
        if (answer === undefined) waiting.fail(new TypeError('the batch returned no answer for a request'));
        else waiting.answer(answer);
      });
    } catch (error) {
      for (const waiting of batch) waiting.fail(error);
    }
  }
}
