import type { BackoffPolicy } from '../core/backoff';
import { afterAttempt, NOT_STARTED, type RequestOutcome, type RetryProgress } from '../core/retry-policy';
import type { ResponseVerdict } from '../core/verdict';
import { type ClientClock, pause } from '../time/clock';
import type { AddressBook } from './addresses';
import type { Call, Transport } from './call';
import { responseVerdict } from './verdict';

export interface RetryingRequesterOptions {
  readonly transport: Transport;
  readonly addresses: AddressBook;
  readonly requestTimeoutMs: number;
  readonly backoff: BackoffPolicy;
  readonly clock: ClientClock;
  readonly random: () => number;
}

export interface RequestTerms {
  /** How long to go on trying. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  /** A background delivery must not keep the host's process alive while it waits. */
  readonly background: boolean;
  /** A server named an address that may not see the token. */
  readonly onDistrusted?: (address: string) => void;
}

/**
 * Brings one call to a server that decides it: moves between addresses, waits between tries, and sends the very same
 * call each time (every call of the contract is idempotent).
 */
export class RetryingRequester {
  readonly #options: RetryingRequesterOptions;

  constructor(options: RetryingRequesterOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async request(call: Call, terms: RequestTerms): Promise<RequestOutcome> {
    const { clock, random, backoff } = this.#options;
    const endsAtMs = clock.nowMs() + terms.deadlineMs;
    let progress: RetryProgress = NOT_STARTED;
    while (!terms.signal.aborted) {
      const { verdict, addressChanged } = await this.#tryOnce(call, terms, endsAtMs);
      const next = afterAttempt(
        progress,
        { verdict, addressChanged, nowMs: clock.nowMs(), endsAtMs, random: random() },
        backoff,
      );
      if (next.kind === 'over') return next.outcome;
      progress = next.progress;
      if (next.afterMs > 0) await pause(clock, next.afterMs, terms);
    }
    return { kind: 'given_up', because: progress.because, mayHaveSucceeded: progress.mayHaveSucceeded };
  }

  /** `movedOn`: another address is worth trying at once. */
  async #tryOnce(
    call: Call,
    terms: RequestTerms,
    endsAtMs: number,
  ): Promise<{ verdict: ResponseVerdict; addressChanged: boolean }> {
    const { addresses, transport, requestTimeoutMs, clock } = this.#options;
    const address = await addresses.current();
    const timeoutMs = Math.max(1, Math.round(Math.min(requestTimeoutMs, endsAtMs - clock.nowMs())));
    const answer = await transport.send(call, address, { timeoutMs, stop: terms.signal, background: terms.background });
    const verdict = responseVerdict(answer, clock.wallMs());
    switch (verdict.kind) {
      case 'not_granting':
        return { verdict, addressChanged: this.#follow({ told: verdict.address, from: address }, terms) };
      case 'unavailable':
        if (terms.signal.aborted) return { verdict, addressChanged: false };
        addresses.leave(address);
        return { verdict, addressChanged: (await addresses.current()) !== address };
      default:
        return { verdict, addressChanged: false };
    }
  }

  #follow({ told, from }: { told: string | undefined; from: string }, terms: RequestTerms): boolean {
    const { addresses } = this.#options;
    const followed = told === undefined ? 'not-told' : addresses.follow(told);
    if (told !== undefined && followed === 'not_trusted') terms.onDistrusted?.(told);
    // Nobody to follow: the next try chooses among all addresses again.
    if (followed === 'not-told' || followed === 'not_trusted') addresses.leave(from);
    return followed === 'moved';
  }
}
