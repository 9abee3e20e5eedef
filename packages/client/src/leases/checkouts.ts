import type { Delivery } from '../core/retry-policy';
import type { Grant, Place } from '../core/verdict';
import { callListener, type Occurrence } from '../events';
import type { KeyRing } from '../keys/key-ring';
import type { Lease } from '../lease';
import type { CheckoutRequest } from '../options';
import { type ClientClock, pause } from '../time/clock';
import type { Call } from '../transport/call';
import type { Courier } from '../transport/retrying-requester';
import { verdictOn } from '../transport/verdict';
import type { LineNews } from '../transport/websocket-session';
import type { LeaseBook } from './lease-registry';
import type { LeaseDefinition } from './managed-lease';
import type { Farewells } from './pending-releases';

export type CheckoutOutcome =
  | { readonly kind: 'granted'; readonly lease: Lease }
  | { readonly kind: 'no_seat_available' }
  /** Asking again would not help: `code` is the server's (`unauthenticated`, `invalid_request` …) or `unproven`. */
  | { readonly kind: 'refused'; readonly code: string; readonly detail: string }
  /** Nobody decided in time. Should the seats have been taken all the same, they are given back. */
  | { readonly kind: 'unavailable'; readonly because: string };

export interface CheckoutsOptions {
  readonly courier: Courier;
  readonly book: LeaseBook;
  readonly farewells: Farewells;
  readonly keys: Pick<KeyRing, 'verify'>;
  readonly clock: ClientClock;
  readonly holder: string;
  readonly newLeaseId: () => string;
  readonly deadlineMs: number;
  readonly releaseDeadlineMs: number;
  /** Aborted when the client is closed, and when it is closed as one that dies. */
  readonly closed: AbortSignal;
  readonly dead: AbortSignal;
  /** What has to be done before the service may be asked; the outcome when that fails. */
  readonly prepare: (deadlineMs: number, signal: AbortSignal) => Promise<CheckoutOutcome | undefined>;
  readonly onOccurrence: (about: Asked, occurrence: Occurrence) => void;
}

export interface Asked {
  readonly id: string;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
}

interface Checkout extends Asked {
  readonly request: CheckoutRequest;
  readonly definition: LeaseDefinition;
  readonly signal: AbortSignal;
}

/** A checkout that is being asked for. */
interface Asking extends Checkout {
  /** Leases whose giving back was settled since it was asked for. */
  readonly settled: ReadonlySet<string>;
}

/** How long a checkout that nobody answered is tried to be undone; after that its lease expires by itself. */
const GIVE_BACK_MS = 60_000;
/** In line over a session the server asks by itself; a client that hears nothing asks all the same now and then. */
const ASK_IN_LINE_MS_MAX = 20_000;

/** Takes seats. Every try carries the same lease id, so that a lost answer never takes them twice. */
export class Checkouts {
  readonly #options: CheckoutsOptions;
  readonly #inLine = new Map<string, (news: LineNews) => void>();

  constructor(options: CheckoutsOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async checkout(request: CheckoutRequest): Promise<CheckoutOutcome> {
    const { book, holder, newLeaseId, closed } = this.#options;
    const { product, feature, seats = 1, licenseId } = request;
    const wanted = { product, feature, seats, licenseId };
    const kept = book.claim(wanted, request.identity);
    if (kept) {
      const { epoch, servedBy } = kept;
      this.#options.onOccurrence(kept, { kind: 'granted', epoch, servedBy });
      return { kind: 'granted', lease: kept };
    }
    const reserved = book.reserve(wanted, request.identity);
    const { identity, number } = reserved;
    const definition = { ...wanted, holder: request.holder ?? holder, identity, number };
    const stop = new AbortController();
    const onStop = (): void => stop.abort();
    for (const signal of [closed, request.signal]) signal?.addEventListener('abort', onStop);
    if (closed.aborted || request.signal?.aborted) onStop();
    try {
      const failed = await this.#options.prepare(this.#options.deadlineMs, stop.signal);
      if (failed) return failed;
      return await this.#ask({ request, definition, id: newLeaseId(), product, feature, seats, signal: stop.signal });
    } finally {
      reserved.free();
      for (const signal of [closed, request.signal]) signal?.removeEventListener('abort', onStop);
    }
  }

  /** The server tells what has become of a checkout that stands in line. */
  lineNews(news: LineNews): void {
    this.#inLine.get(news.leaseId)?.(news);
  }

  /** The session is gone over which news would have come: everybody asks by himself. */
  lineIsCut(): void {
    for (const [leaseId, wake] of this.#inLine) wake({ leaseId, answer: NOTHING_NEW });
  }

  async #ask(checkout: Checkout): Promise<CheckoutOutcome> {
    const { clock, farewells } = this.#options;
    const { queueMs = 0 } = checkout.request;
    const lineEndsAtMs = clock.nowMs() + queueMs;
    let place: Place | undefined;
    for (;;) {
      const { settled, end } = farewells.watch();
      try {
        const asking = { ...checkout, settled };
        const delivery = await this.#deliver(asking, place);
        if (delivery.kind !== 'queued') return await this.#outcome(asking, delivery, place !== undefined);
        const next = await this.#standInLine(asking, delivery.place, { before: place, endsAtMs: lineEndsAtMs });
        if (next.kind === 'over') return next.outcome;
        place = next.place;
      } finally {
        end();
      }
    }
  }

  #deliver(checkout: Checkout, place: Place | undefined): Promise<Delivery> {
    const { courier, deadlineMs, onOccurrence } = this.#options;
    const { request, definition, signal } = checkout;
    const { product, feature, seats, holder, identity, licenseId } = definition;
    const body = {
      ...{ product, feature, seats, holder },
      ...(licenseId === undefined ? {} : { licenseId }),
      ...(identity === undefined ? {} : { identity }),
      ...(request.queueMs ? { queue: true } : {}),
      ...(request.borrowSeconds === undefined ? {} : { borrowSeconds: request.borrowSeconds }),
      ...(place === undefined ? {} : { token: place.token }),
    };
    return courier.deliver(
      { ...callFor(checkout), kind: 'checkout', method: 'PUT', body },
      {
        deadlineMs,
        signal,
        background: false,
        onDistrusted: (address) => onOccurrence(checkout, { kind: 'distrusted', address }),
      },
    );
  }

  /** Waits for news, or for the time to ask again. */
  async #standInLine(
    checkout: Asking,
    first: Place,
    { before, endsAtMs }: { before: Place | undefined; endsAtMs: number },
  ): Promise<{ kind: 'ask'; place: Place } | { kind: 'over'; outcome: CheckoutOutcome }> {
    const { clock } = this.#options;
    let place = first;
    this.#tellPosition(checkout, place, before);
    for (;;) {
      const leftMs = endsAtMs - clock.nowMs();
      if (leftMs <= 0 || checkout.signal.aborted) {
        await this.#giveBack(checkout);
        const because = checkout.signal.aborted ? 'it was stopped' : 'its turn did not come in time';
        return { kind: 'over', outcome: { kind: 'unavailable', because } };
      }
      const news = await this.#news(checkout, Math.min(leftMs, Math.max(place.askAgainInMs, 100), ASK_IN_LINE_MS_MAX));
      if (!news || news.answer === NOTHING_NEW) return { kind: 'ask', place };
      const verdict = verdictOn(news.answer, clock.wallMs());
      switch (verdict.kind) {
        case 'queued':
          this.#tellPosition(checkout, verdict.place, place);
          place = verdict.place;
          break;
        case 'not_granting':
        case 'busy':
        case 'unavailable':
          return { kind: 'ask', place };
        default:
          return { kind: 'over', outcome: await this.#outcome(checkout, verdict, true) };
      }
    }
  }

  #news(checkout: Checkout, waitMs: number): Promise<LineNews | undefined> {
    const { clock } = this.#options;
    const { id, signal } = checkout;
    return new Promise((resolve) => {
      const woken = new AbortController();
      const wake = (news: LineNews | undefined): void => {
        this.#inLine.delete(id);
        signal.removeEventListener('abort', onStop);
        resolve(news);
        woken.abort();
      };
      const onStop = (): void => wake(undefined);
      this.#inLine.set(id, wake);
      signal.addEventListener('abort', onStop);
      void pause(clock, waitMs, { signal: woken.signal, background: false }).then(() => wake(undefined));
    });
  }

  #tellPosition(checkout: Checkout, { position }: Place, before: Place | undefined): void {
    if (before?.position === position) return;
    callListener(checkout.request.onPosition, position);
    this.#options.onOccurrence(checkout, { kind: 'queued', position });
  }

  async #outcome(
    checkout: Asking,
    delivery: Exclude<Delivery, { kind: 'queued' }>,
    inLine: boolean,
  ): Promise<CheckoutOutcome> {
    const { onOccurrence } = this.#options;
    if (delivery.kind === 'done') return this.#granted(checkout, delivery.grant);
    if (delivery.kind === 'given-up') {
      if (delivery.mayBeDone || inLine) await this.#giveBack(checkout);
      return { kind: 'unavailable', because: delivery.because };
    }
    if (delivery.kind === 'no_seat_available') {
      onOccurrence(checkout, { kind: 'denied', code: delivery.kind, detail: 'No seat is available.' });
      return delivery;
    }
    const { code, detail } = delivery.kind === 'refused' ? delivery : { code: delivery.code, detail: '' };
    onOccurrence(checkout, { kind: 'denied', code, detail });
    return { kind: 'refused', code, detail };
  }

  async #granted(checkout: Asking, grant: Grant | undefined): Promise<CheckoutOutcome> {
    const { keys, book, farewells, onOccurrence } = this.#options;
    const { product, feature, seats } = checkout;
    if (!grant) return { kind: 'refused', code: 'not_a_lease', detail: 'The answer is not a lease.' };
    const leaseId = grant.leaseId ?? checkout.id;
    if (farewells.underWay(leaseId) || checkout.settled.has(leaseId)) return this.#askAfter(checkout, leaseId);
    const proof = await keys.verify(grant.token, { leaseId, product, feature, seats });
    if (proof.kind === 'refused') {
      const { detail } = proof;
      onOccurrence(checkout, { kind: 'unproven', detail });
      await this.#giveBack({ ...checkout, id: leaseId });
      return { kind: 'refused', code: 'unproven', detail };
    }
    if (checkout.signal.aborted) {
      await this.#giveBack({ ...checkout, id: leaseId });
      return { kind: 'unavailable', because: 'it was stopped' };
    }
    const lease = book.keep(leaseId, checkout.definition, grant);
    const { epoch, servedBy } = lease;
    onOccurrence(lease, { kind: 'granted', epoch, servedBy });
    return { kind: 'granted', lease };
  }

  /** The server gave a lease of this installation that is on its way back, or was: when it is there, others are asked for. */
  async #askAfter(checkout: Checkout, leaseId: string): Promise<CheckoutOutcome> {
    const { clock, deadlineMs, farewells } = this.#options;
    const leaving = farewells.underWay(leaseId);
    if (leaving) {
      const enough = new AbortController();
      const signal = AbortSignal.any([checkout.signal, enough.signal]);
      await Promise.race([leaving, pause(clock, deadlineMs, { signal, background: false })]);
      enough.abort();
    }
    if (farewells.underWay(leaseId) === undefined && !checkout.signal.aborted) return this.#ask(checkout);
    const because = checkout.signal.aborted ? 'it was stopped' : 'seats of before are still being given back';
    return { kind: 'unavailable', because };
  }

  /**
   * A checkout without an answer may have been carried out: its seats are given back, in the background while the client
   * lives, and before its end when it is being closed.
   */
  async #giveBack(checkout: Asked): Promise<void> {
    const { courier, farewells, closed, dead, releaseDeadlineMs } = this.#options;
    const closing = closed.aborted;
    const sent = courier.deliver(
      { ...callFor(checkout), kind: 'release', method: 'DELETE' },
      { deadlineMs: closing ? releaseDeadlineMs : GIVE_BACK_MS, signal: dead, background: !closing },
    );
    const delivery = farewells.say(checkout.id, sent);
    if (closing) await delivery;
  }
}

const NOTHING_NEW: LineNews['answer'] = {
  kind: 'response',
  status: 0,
  body: {},
  retryAfterMs: undefined,
  serverDateMs: undefined,
  sentAtMs: 0,
};

function callFor({ id: leaseId, product, feature, seats }: Asked): Omit<Call, 'kind' | 'method'> {
  return { path: `/v1/leases/${leaseId}`, leaseId, product, feature, seats };
}
