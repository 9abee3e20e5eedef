import type { AddressBook } from './addresses';
import { type BackoffPolicy, backoffMs } from './backoff';
import type { Call, Transport } from './transport';
import { type Final, type Verdict, verdictOn } from './verdict';

/** What became of a call after all its tries. */
export type Delivery =
  | Final
  /** `mayBeDone`: a try got no answer, so it may have been carried out all the same. */
  | { readonly kind: 'given-up'; readonly because: string; readonly mayBeDone: boolean };

export interface CourierOptions {
  readonly transport: Transport;
  readonly addresses: AddressBook;
  readonly requestTimeoutMs: number;
  readonly backoff: BackoffPolicy;
  readonly random: () => number;
}

export interface DeliveryTerms {
  /** How long to go on trying; a heartbeat goes on until it is stopped. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
  /** A background delivery must not keep the host's process alive while it waits. */
  readonly background: boolean;
  /** A server named an address that may not see the token. */
  readonly onDistrusted?: (address: string) => void;
}

/** How often one delivery changes its address at once, before it waits as it does after any other failure. */
const MOVES_IN_A_ROW_MAX = 2;

/** The one failure after which a request was certainly not carried out. */
const NOBODY_LISTENED = 'ECONNREFUSED';

function waitFor(ms: number, { signal, background }: DeliveryTerms): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (background) timer.unref();
    signal.addEventListener('abort', done);
  });
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
    const endsAtMs = performance.now() + terms.deadlineMs;
    let failures = 0;
    let moves = 0;
    let because = 'it was stopped';
    let mayBeDone = false;
    while (!terms.signal.aborted) {
      const verdict = await this.#tryOnce(call, terms, endsAtMs);
      if (verdict.kind !== 'not_granting' && verdict.kind !== 'unavailable') return verdict;
      because = verdict.kind === 'unavailable' ? verdict.because : verdict.kind;
      mayBeDone ||= verdict.kind === 'unavailable' && because !== NOBODY_LISTENED;
      if (verdict.movedOn && moves < MOVES_IN_A_ROW_MAX) {
        moves += 1;
        continue;
      }
      moves = 0;
      failures += 1;
      const { backoff, random } = this.#options;
      const pauseMs = backoffMs({ failures, retryAfterMs: verdict.retryAfterMs, random: random() }, backoff);
      if (performance.now() + pauseMs >= endsAtMs) break;
      await waitFor(pauseMs, terms);
    }
    return { kind: 'given-up', because, mayBeDone };
  }

  /** One try. `movedOn`: another address is worth trying at once. */
  async #tryOnce(call: Call, terms: DeliveryTerms, endsAtMs: number): Promise<Verdict & { movedOn?: boolean }> {
    const { addresses, transport, requestTimeoutMs } = this.#options;
    const address = await addresses.current();
    const timeoutMs = Math.max(1, Math.round(Math.min(requestTimeoutMs, endsAtMs - performance.now())));
    const verdict = verdictOn(await transport.send(call, address, { timeoutMs, stop: terms.signal }), Date.now());
    switch (verdict.kind) {
      case 'not_granting':
        return { ...verdict, movedOn: this.#follow({ told: verdict.address, from: address }, terms) };
      case 'unavailable':
        if (terms.signal.aborted) return verdict;
        addresses.leave(address);
        return { ...verdict, movedOn: (await addresses.current()) !== address };
      default:
        return verdict;
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
