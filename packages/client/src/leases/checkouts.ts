import type { RequestOutcome } from '../core/retry-policy';
import { type Grant, type QueueEntry, withNonce } from '../core/verdict';
import { callListener, type LeaseEventBody } from '../events';
import type { KeyRing } from '../keys/key-ring';
import type { Lease } from '../lease';
import type { CheckoutRequest } from '../options';
import { type ClientClock, pauseFor } from '../time/clock';
import type { ClientCall } from '../transport/call';
import type { RetryingRequester } from '../transport/retrying-requester';
import { responseVerdict } from '../transport/verdict';
import type { QueueUpdate } from '../transport/websocket-session';
import type { LeaseRegistry } from './lease-registry';
import type { LeaseDefinition } from './managed-lease';
import type { PendingReleases } from './pending-releases';
import { proveGrant } from './proven-grant';

export type CheckoutOutcome =
  | { readonly kind: 'granted'; readonly lease: Lease }
  | { readonly kind: 'no_seat_available' }
  /** A retry would not help. `code` is the server's (`unauthenticated`, `invalid_request`, …) or `unproven`. */
  | { readonly kind: 'refused'; readonly code: string; readonly detail: string }
  /** No server decided in time. The client releases seats that a server may have granted. */
  | { readonly kind: 'unavailable'; readonly because: string };

export interface CheckoutsOptions {
  readonly requester: RetryingRequester;
  readonly registry: LeaseRegistry;
  readonly pendingReleases: PendingReleases;
  readonly keys: Pick<KeyRing, 'verify'>;
  readonly clock: ClientClock;
  readonly holder: () => string;
  readonly newLeaseId: () => string;
  readonly deadlineMs: number;
  readonly releaseDeadlineMs: number;
  /** `closed` is aborted when the client is closed, `killed` when it is closed like a crashed process. */
  readonly closed: AbortSignal;
  readonly killed: AbortSignal;
  /** Prepares the first request, for example by registration. Returns the outcome when that fails. */
  readonly prepare: (deadlineMs: number, signal: AbortSignal) => Promise<CheckoutOutcome | undefined>;
  readonly onLeaseEvent: (about: LeaseSubject, event: LeaseEventBody) => void;
}

export interface LeaseSubject {
  readonly id: string;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
}

interface Checkout extends LeaseSubject {
  readonly request: CheckoutRequest;
  readonly definition: LeaseDefinition;
  readonly signal: AbortSignal;
}

/** A checkout with a pending request. */
interface PendingCheckout extends Checkout {
  /** Leases whose release was settled since the request was sent. */
  readonly settled: ReadonlySet<string>;
}

/** Deadline for undoing a checkout without a response. Afterwards its lease expires. */
const UNDO_DEADLINE_MS = 60_000;
/** Poll interval of a queued checkout, in case a session pushes no update. */
const QUEUE_POLL_MS_MAX = 20_000;

/** Checks out seats. Every attempt sends the same lease id, so a lost response never takes seats twice. */
export class Checkouts {
  readonly #options: CheckoutsOptions;
  readonly #queued = new Map<string, (update: QueueUpdate) => void>();

  constructor(options: CheckoutsOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async checkout(request: CheckoutRequest): Promise<CheckoutOutcome> {
    const { registry, holder, newLeaseId, closed } = this.#options;
    const { product, feature, seats = 1, licenseId } = request;
    const spec = { product, feature, seats, licenseId };
    const restored = registry.claim(spec, request.identity);
    if (restored) {
      const { epoch, servedBy } = restored;
      this.#options.onLeaseEvent(restored, { kind: 'granted', epoch, servedBy });
      return { kind: 'granted', lease: restored };
    }
    const reserved = registry.reserve(spec, request.identity);
    const { identity, number } = reserved;
    const definition = { ...spec, holder: request.holder ?? holder(), identity, number };
    const stop = new AbortController();
    const onStop = (): void => stop.abort();
    for (const signal of [closed, request.signal]) signal?.addEventListener('abort', onStop);
    if (closed.aborted || request.signal?.aborted) onStop();
    try {
      const failed = await this.#options.prepare(this.#options.deadlineMs, stop.signal);
      if (failed) return failed;
      return await this.#checkout({
        request,
        definition,
        id: newLeaseId(),
        product,
        feature,
        seats,
        signal: stop.signal,
      });
    } finally {
      reserved.free();
      for (const signal of [closed, request.signal]) signal?.removeEventListener('abort', onStop);
    }
  }

  /** The server pushed a new state of a queued checkout. */
  queueUpdated(update: QueueUpdate): void {
    this.#queued.get(update.leaseId)?.(update);
  }

  /** The session that pushes updates was lost: every queued checkout polls now. */
  sessionLost(): void {
    for (const [leaseId, wake] of this.#queued) wake({ leaseId, answer: NO_UPDATE });
  }

  async #checkout(checkout: Checkout): Promise<CheckoutOutcome> {
    const { clock, pendingReleases } = this.#options;
    const { queueMs = 0 } = checkout.request;
    const lineEndsAtMs = clock.nowMs() + queueMs;
    let entry: QueueEntry | undefined;
    for (;;) {
      const { settled, end } = pendingReleases.collectSettled();
      try {
        const asking = { ...checkout, settled };
        const outcome = await this.#request(asking, entry);
        if (outcome.kind !== 'queued') return await this.#conclude(asking, outcome, entry !== undefined);
        const next = await this.#waitInQueue(asking, outcome.entry, { before: entry, endsAtMs: lineEndsAtMs });
        if (next.kind === 'over') return next.outcome;
        entry = next.entry;
      } finally {
        end();
      }
    }
  }

  #request(checkout: Checkout, entry: QueueEntry | undefined): Promise<RequestOutcome> {
    const { requester, deadlineMs, onLeaseEvent } = this.#options;
    const { request, definition, signal } = checkout;
    const { product, feature, seats, holder, identity, licenseId } = definition;
    const body = {
      product,
      feature,
      seats,
      holder,
      ...(licenseId === undefined ? {} : { licenseId }),
      ...(identity === undefined ? {} : { identity }),
      ...(request.queueMs ? { queue: true } : {}),
      ...(request.borrowSeconds === undefined ? {} : { borrowSeconds: request.borrowSeconds }),
      ...(entry === undefined ? {} : { token: entry.token }),
    };
    return requester.request(
      { ...callFor(checkout), kind: 'checkout', method: 'PUT', body },
      {
        deadlineMs,
        signal,
        background: false,
        onDistrusted: (address) => onLeaseEvent(checkout, { kind: 'distrusted', address }),
      },
    );
  }

  /** Waits for an update or for the next poll. */
  async #waitInQueue(
    checkout: PendingCheckout,
    first: QueueEntry,
    { before, endsAtMs }: { before: QueueEntry | undefined; endsAtMs: number },
  ): Promise<{ kind: 'request'; entry: QueueEntry } | { kind: 'over'; outcome: CheckoutOutcome }> {
    const { clock } = this.#options;
    let entry = first;
    this.#reportPosition(checkout, entry, before);
    for (;;) {
      const leftMs = endsAtMs - clock.nowMs();
      if (leftMs <= 0 || checkout.signal.aborted) {
        await this.#undo(checkout);
        const because = checkout.signal.aborted ? 'stopped' : 'no seat became free in time';
        return { kind: 'over', outcome: { kind: 'unavailable', because } };
      }
      const update = await this.#nextUpdate(
        checkout,
        Math.min(leftMs, Math.max(entry.retryInMs, 100), QUEUE_POLL_MS_MAX),
      );
      if (!update || update.answer === NO_UPDATE) return { kind: 'request', entry };
      const verdict = withNonce(responseVerdict(update.answer, clock.wallMs()), entry.nonce);
      switch (verdict.kind) {
        case 'queued':
          this.#reportPosition(checkout, verdict.entry, entry);
          entry = verdict.entry;
          break;
        case 'not_granting':
        case 'busy':
        case 'unavailable':
          return { kind: 'request', entry };
        default:
          return { kind: 'over', outcome: await this.#conclude(checkout, verdict, true) };
      }
    }
  }

  #nextUpdate(checkout: Checkout, waitMs: number): Promise<QueueUpdate | undefined> {
    const { clock } = this.#options;
    const { id, signal } = checkout;
    return new Promise((resolve) => {
      const woken = new AbortController();
      const wake = (update: QueueUpdate | undefined): void => {
        this.#queued.delete(id);
        signal.removeEventListener('abort', onStop);
        resolve(update);
        woken.abort();
      };
      const onStop = (): void => wake(undefined);
      this.#queued.set(id, wake);
      signal.addEventListener('abort', onStop);
      void pauseFor(clock, waitMs, { signal: woken.signal, background: false }).then(() => wake(undefined));
    });
  }

  #reportPosition(checkout: Checkout, { position }: QueueEntry, before: QueueEntry | undefined): void {
    if (before?.position === position) return;
    callListener(checkout.request.onPosition, position);
    this.#options.onLeaseEvent(checkout, { kind: 'queued', position });
  }

  async #conclude(
    checkout: PendingCheckout,
    outcome: Exclude<RequestOutcome, { kind: 'queued' }>,
    queued: boolean,
  ): Promise<CheckoutOutcome> {
    const { onLeaseEvent } = this.#options;
    if (outcome.kind === 'done') return this.#granted(checkout, outcome.grant);
    if (outcome.kind === 'given_up') {
      if (outcome.mayHaveSucceeded || queued) await this.#undo(checkout);
      return { kind: 'unavailable', because: outcome.reason };
    }
    if (outcome.kind === 'no_seat_available') {
      onLeaseEvent(checkout, { kind: 'denied', code: outcome.kind, detail: 'No seat is available.' });
      return outcome;
    }
    const { code, detail } = outcome.kind === 'refused' ? outcome : { code: outcome.code, detail: '' };
    onLeaseEvent(checkout, { kind: 'denied', code, detail });
    return { kind: 'refused', code, detail };
  }

  async #granted(checkout: PendingCheckout, grant: Grant | undefined): Promise<CheckoutOutcome> {
    const { keys, registry, pendingReleases, onLeaseEvent } = this.#options;
    if (!grant) return { kind: 'refused', code: 'not_a_lease', detail: 'The response is not a lease.' };
    const leaseId = grant.leaseId ?? checkout.id;
    if (pendingReleases.find(leaseId) || checkout.settled.has(leaseId))
      return this.#retryAfterRelease(checkout, leaseId);
    const verdict = await proveGrant(keys, grant, { askedId: checkout.id, definition: checkout.definition });
    if (verdict.kind === 'refused') {
      const { detail } = verdict;
      onLeaseEvent(checkout, { kind: 'unproven', detail });
      await this.#undo({ ...checkout, id: leaseId }, grant.token);
      return { kind: 'refused', code: 'unproven', detail };
    }
    if (checkout.signal.aborted) {
      await this.#undo({ ...checkout, id: leaseId }, grant.token);
      return { kind: 'unavailable', because: 'stopped' };
    }
    const lease = registry.keep(leaseId, checkout.definition, verdict.grant);
    const { epoch, servedBy } = lease;
    onLeaseEvent(lease, { kind: 'granted', epoch, servedBy });
    return { kind: 'granted', lease };
  }

  /** The server returned a lease that this client is releasing. Waits for that release, then requests again. */
  async #retryAfterRelease(checkout: Checkout, leaseId: string): Promise<CheckoutOutcome> {
    const { clock, deadlineMs, pendingReleases } = this.#options;
    const leaving = pendingReleases.find(leaseId);
    if (leaving) {
      const enough = new AbortController();
      const signal = AbortSignal.any([checkout.signal, enough.signal]);
      await Promise.race([leaving, pauseFor(clock, deadlineMs, { signal, background: false })]);
      enough.abort();
    }
    if (pendingReleases.find(leaseId) === undefined && !checkout.signal.aborted) return this.#checkout(checkout);
    const because = checkout.signal.aborted ? 'stopped' : 'earlier seats are still being released';
    return { kind: 'unavailable', because };
  }

  /**
   * Releases the seats of a checkout that a server may have executed: in the background, or before the end of `close`. With
   * the token of the grant, a lease that another process of the installation has received since stays held.
   */
  async #undo(checkout: LeaseSubject, token?: string): Promise<void> {
    const { requester, pendingReleases, closed, killed, releaseDeadlineMs } = this.#options;
    const closing = closed.aborted;
    const sent = requester.request(
      { ...callFor(checkout), kind: 'release', method: 'DELETE', ...(token === undefined ? {} : { body: { token } }) },
      { deadlineMs: closing ? releaseDeadlineMs : UNDO_DEADLINE_MS, signal: killed, background: !closing },
    );
    const outcome = pendingReleases.track(checkout.id, sent);
    if (closing) await outcome;
  }
}

const NO_UPDATE: QueueUpdate['answer'] = {
  kind: 'response',
  status: 0,
  body: {},
  retryAfterMs: undefined,
  serverDateMs: undefined,
  sentAtMs: 0,
};

function callFor({ id: leaseId, product, feature, seats }: LeaseSubject): Omit<ClientCall, 'kind' | 'method'> {
  return { path: `/v1/leases/${leaseId}`, leaseId, product, feature, seats };
}
