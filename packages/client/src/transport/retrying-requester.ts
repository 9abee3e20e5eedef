import type { BackoffPolicy } from '../core/backoff';
import { afterAttempt, NOT_STARTED, type RequestOutcome, type RetryProgress } from '../core/retry-policy';
import { type HttpResponseVerdict, withNonce } from '../core/verdict';
import { type ClientClock, pauseFor } from '../time/clock';
import type { AddressBook } from './addresses';
import type { ClientCall, Transport } from './call';
import { responseVerdict } from './verdict';

export interface RetryingRequesterOptions {
  readonly transport: Transport;
  readonly addresses: AddressBook;
  readonly requestTimeoutMs: number;
  readonly backoff: BackoffPolicy;
  readonly clock: ClientClock;
  readonly random: () => number;
  /** A new value for each request for a lease. The token of its answer has it. */
  readonly newNonce: () => string;
}

export interface RequestTerms {
  /** Total time for all attempts. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  /** The waiting request does not keep the process alive. */
  readonly background: boolean;
  /** A server redirected to an address that may not receive the token. */
  readonly onDistrusted?: (address: string) => void;
}

/** Requests whose answer has a lease token. */
const ANSWERED_BY_TOKEN: ReadonlySet<ClientCall['kind']> = new Set(['checkout', 'heartbeat']);

/**
 * Repeats a request until a server decides it, with backoff and changes of the address. Every attempt sends the same
 * request, because every request of the contract is idempotent.
 */
export class RetryingRequester {
  readonly #options: RetryingRequesterOptions;

  constructor(options: RetryingRequesterOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async request(call: ClientCall, terms: RequestTerms): Promise<RequestOutcome> {
    const { clock, random, backoff } = this.#options;
    const nonce = ANSWERED_BY_TOKEN.has(call.kind) ? this.#options.newNonce() : undefined;
    const sent = nonce === undefined ? call : { ...call, body: { ...call.body, nonce } };
    const endsAtMs = clock.nowMs() + terms.deadlineMs;
    let progress: RetryProgress = NOT_STARTED;
    while (!terms.signal.aborted) {
      const { verdict, addressChanged } = await this.#attempt(sent, terms, endsAtMs);
      const next = afterAttempt(
        progress,
        { verdict, addressChanged, nowMs: clock.nowMs(), endsAtMs, random: random() },
        backoff,
      );
      if (next.kind === 'over') return withNonce(next.outcome, nonce);
      progress = next.progress;
      if (next.afterMs > 0) await pauseFor(clock, next.afterMs, terms);
    }
    return { kind: 'given_up', reason: progress.reason, mayHaveSucceeded: progress.mayHaveSucceeded };
  }

  /** `addressChanged`: another address can be tried immediately. */
  async #attempt(
    call: ClientCall,
    terms: RequestTerms,
    endsAtMs: number,
  ): Promise<{ verdict: HttpResponseVerdict; addressChanged: boolean }> {
    const { addresses, transport, requestTimeoutMs, clock } = this.#options;
    const address = await addresses.current();
    const timeoutMs = Math.max(1, Math.round(Math.min(requestTimeoutMs, endsAtMs - clock.nowMs())));
    const answer = await transport.send(call, address, { timeoutMs, stop: terms.signal, background: terms.background });
    const verdict = responseVerdict(answer, clock.wallMs());
    switch (verdict.kind) {
      case 'not_granting':
        return { verdict, addressChanged: this.#follow({ target: verdict.address, from: address }, terms) };
      case 'unavailable':
        if (terms.signal.aborted) return { verdict, addressChanged: false };
        addresses.leave(address);
        return { verdict, addressChanged: (await addresses.current()) !== address };
      default:
        return { verdict, addressChanged: false };
    }
  }

  #follow({ target, from }: { target: string | undefined; from: string }, terms: RequestTerms): boolean {
    const { addresses } = this.#options;
    const followed = target === undefined ? 'no_redirect' : addresses.follow(target);
    if (target !== undefined && followed === 'not_trusted') terms.onDistrusted?.(target);
    // Without a usable redirect, the next attempt selects among all addresses again.
    if (followed === 'no_redirect' || followed === 'not_trusted') addresses.leave(from);
    return followed === 'moved';
  }
}
