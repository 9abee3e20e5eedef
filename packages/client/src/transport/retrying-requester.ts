import type { BackoffPolicy } from '../core/backoff';
import { afterTry, type Delivery, NOT_TRIED, type Progress } from '../core/retry-policy';
import type { Verdict } from '../core/verdict';
import { type ClientClock, pause } from '../time/clock';
import type { AddressBook } from './addresses';
import type { Call, Transport } from './call';
import { verdictOn } from './verdict';

export interface CourierOptions {
  readonly transport: Transport;
  readonly addresses: AddressBook;
  readonly requestTimeoutMs: number;
  readonly backoff: BackoffPolicy;
  readonly clock: ClientClock;
  readonly random: () => number;
}

export interface DeliveryTerms {
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
export class Courier {
  readonly #options: CourierOptions;

  constructor(options: CourierOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async deliver(call: Call, terms: DeliveryTerms): Promise<Delivery> {
    const { clock, random, backoff } = this.#options;
    const endsAtMs = clock.nowMs() + terms.deadlineMs;
    let progress: Progress = NOT_TRIED;
    while (!terms.signal.aborted) {
      const { verdict, movedOn } = await this.#tryOnce(call, terms, endsAtMs);
      const next = afterTry(progress, { verdict, movedOn, nowMs: clock.nowMs(), endsAtMs, random: random() }, backoff);
      if (next.kind === 'over') return next.delivery;
      progress = next.progress;
      if (next.afterMs > 0) await pause(clock, next.afterMs, terms);
    }
    return { kind: 'given-up', because: progress.because, mayBeDone: progress.mayBeDone };
  }

  /** `movedOn`: another address is worth trying at once. */
  async #tryOnce(call: Call, terms: DeliveryTerms, endsAtMs: number): Promise<{ verdict: Verdict; movedOn: boolean }> {
    const { addresses, transport, requestTimeoutMs, clock } = this.#options;
    const address = await addresses.current();
    const timeoutMs = Math.max(1, Math.round(Math.min(requestTimeoutMs, endsAtMs - clock.nowMs())));
    const answer = await transport.send(call, address, { timeoutMs, stop: terms.signal, background: terms.background });
    const verdict = verdictOn(answer, clock.wallMs());
    switch (verdict.kind) {
      case 'not_granting':
        return { verdict, movedOn: this.#follow({ told: verdict.address, from: address }, terms) };
      case 'unavailable':
        if (terms.signal.aborted) return { verdict, movedOn: false };
        addresses.leave(address);
        return { verdict, movedOn: (await addresses.current()) !== address };
      default:
        return { verdict, movedOn: false };
    }
  }

  #follow({ told, from }: { told: string | undefined; from: string }, terms: DeliveryTerms): boolean {
    const { addresses } = this.#options;
    const followed = told === undefined ? 'not-told' : addresses.follow(told);
    if (told !== undefined && followed === 'not-trusted') terms.onDistrusted?.(told);
    // Nobody to follow: the next try chooses among all addresses again.
    if (followed === 'not-told' || followed === 'not-trusted') addresses.leave(from);
    return followed === 'moved';
  }
}
