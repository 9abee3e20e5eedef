import type { VerdictKind } from '@evergrant/controller/core/verdicts';
import type { CycleOutcome } from '@evergrant/controller/cycle';
import type { Logger } from 'pino';

/** Verdicts whose alert is announced by itself. */
const VERDICTS_WITH_ALERT: ReadonlySet<VerdictKind> = new Set([
  'application_down',
  'database_down',
  'standby_not_ready',
  'withheld',
  'fail_over',
]);

/** Tells the log what the cycles come to; what is new to people is announced, what repeats itself is not. */
export class Reporter {
  readonly #logger: Logger;
  #verdict: VerdictKind | undefined = undefined;
  #step: string | undefined = undefined;
  #blind = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  readonly report = (outcome: CycleOutcome | { readonly kind: 'failed'; readonly error: unknown }): void => {
    switch (outcome.kind) {
      case 'watched':
        this.#sees();
        this.#watched(outcome);
        break;
      case 'stepped':
        this.#sees();
        this.#stepped(outcome);
        break;
      case 'conflict':
        this.#logger.debug('another controller wrote first');
        break;
      case 'blind':
        this.#isBlind(outcome.reason);
        break;
      case 'failed':
        this.#logger.error({ err: outcome.error, announce: 'the controller failed; it goes on' });
    }
  };

  #watched({ verdict }: Extract<CycleOutcome, { kind: 'watched' }>): void {
    this.#step = undefined;
    if (this.#verdict === verdict.kind) {
      this.#logger.debug({ verdict });
      return;
    }
    // The first look of a well world is no event, and neither is what an alert says better.
    const isNews = this.#verdict !== undefined && !VERDICTS_WITH_ALERT.has(verdict.kind);
    this.#verdict = verdict.kind;
    this.#logger.info({ verdict, ...(isNews ? { announce: `${verdict.kind}: ${verdict.reason}` } : {}) });
  }

  #stepped({ step, failure, operating }: Extract<CycleOutcome, { kind: 'stepped' }>): void {
    this.#verdict = 'operating';
    const { operation, passed, observed, effect } = step;
    const fields = { operationId: operation.id, operation: operation.kind, passed, observed, effect };
    if (failure !== undefined)
      this.#logger.warn({ ...fields, err: failure }, 'an effect failed; the next cycle retries it');
    const doing = effect === 'none' ? observed : `${observed} → ${effect}`;
    const text = `${operation.kind}: ${[...passed, ...(operating ? [doing] : [])].join(', ')}`;
    if (this.#step === text) {
      this.#logger.debug(fields);
      return;
    }
    this.#step = text;
    this.#logger.info({ ...fields, announce: text });
  }

  #isBlind(reason: string): void {
    if (this.#blind) return;
    this.#blind = true;
    this.#logger.error({ reason, announce: `the controller is blind: ${reason}` });
  }

  #sees(): void {
    if (this.#blind) this.#logger.info({ announce: 'the controller sees again' });
    this.#blind = false;
  }
}
