import type { VerdictKind } from '@evergrant/controller/core/verdicts';
import type { CycleOutcome } from '@evergrant/controller/cycle';
import type { Logger } from 'pino';

/** Verdicts that have their own announcement as an alert. */
const VERDICTS_WITH_ALERT: ReadonlySet<VerdictKind> = new Set([
  'application_down',
  'database_down',
  'standby_not_ready',
  'withheld',
  'fail_over',
]);

/** Logs the outcome of each cycle. It announces changes only; repeated outcomes are logged at debug level. */
export class Reporter {
  readonly #logger: Logger;
  #verdict: VerdictKind | undefined = undefined;
  #step: string | undefined = undefined;
  #unreadable = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  readonly report = (outcome: CycleOutcome | { readonly kind: 'failed'; readonly error: unknown }): void => {
    switch (outcome.kind) {
      case 'watched':
        this.#reportReadable();
        this.#watched(outcome);
        break;
      case 'stepped':
        this.#reportReadable();
        this.#stepped(outcome);
        break;
      case 'conflict':
        this.#logger.debug('another controller wrote first');
        break;
      case 'blind':
        this.#reportUnreadable(outcome.reason);
        break;
      case 'failed':
        this.#logger.error({ err: outcome.error, announce: 'the cycle failed; the next cycle retries' });
    }
  };

  #watched({ verdict }: Extract<CycleOutcome, { kind: 'watched' }>): void {
    this.#step = undefined;
    if (this.#verdict === verdict.kind) {
      this.#logger.debug({ verdict });
      return;
    }
    // The first healthy verdict is not an event. An alert replaces the announcement of its verdict.
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

  #reportUnreadable(reason: string): void {
    if (this.#unreadable) return;
    this.#unreadable = true;
    this.#logger.error({ reason, announce: `the controller cannot read its store: ${reason}` });
  }

  #reportReadable(): void {
    if (this.#unreadable) this.#logger.info({ announce: 'the controller can read its store again' });
    this.#unreadable = false;
  }
}
