import type { HttpReply } from '../platform/http/reply';
import type { QueuedCheckout, QueuePoller } from '../queue/queue-poller';
import { answerOf, type QueueEvent, type SessionMessage } from './messages';

export interface QueuedCheckoutsOptions {
  readonly poller: QueuePoller;
  readonly placesMax: number;
  /** Repeats the checkout. Never rejects. */
  readonly ask: (checkout: Checkout) => Promise<HttpReply>;
  readonly send: (event: QueueEvent) => void;
}

type Checkout = Extract<SessionMessage, { op: 'checkout' }>;

interface Entry extends QueuedCheckout {
  /** The request in flight. */
  asking: Promise<unknown> | undefined;
  left: boolean;
}

/** The status of a checkout that waits in the queue. */
export const QUEUED_STATUS = 202;
const RETRY_AFTER_SECONDS = 1;

/** Repeats the queued checkouts of one session, and sends an event when the answer changes. */
export class QueuedCheckouts {
  readonly #options: QueuedCheckoutsOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: QueuedCheckoutsOptions) {
    this.#options = options;
  }

  /** `first` is the answer that queued the checkout. Beyond `placesMax` the client has to repeat its requests. */
  join(checkout: Checkout, first: HttpReply): void {
    if (this.#entries.size >= this.#options.placesMax) return;
    const leaseId = checkout.leaseId.toLowerCase();
    let position = placeOf(first).position;
    const entry: Entry = {
      asking: undefined,
      left: false,
      ask: async () => {
        const asking = this.#options.ask(checkout);
        entry.asking = asking;
        const reply = await asking;
        if (entry.left) return undefined;
        const place = placeOf(reply);
        const isPending = reply.status === QUEUED_STATUS || reply.status >= 500;
        if (!isPending) this.#entries.delete(leaseId);
        // A server that cannot decide now sends no event; the place stays in the queue.
        if (reply.status < 500 && place.position !== position) {
          const { id: _id, ...answer } = answerOf(null, reply);
          this.#options.send({ event: 'queue', leaseId, ...answer });
        }
        position = place.position ?? position;
        return isPending ? place.retryAfter : undefined;
      },
    };
    this.#entries.set(leaseId, entry);
    this.#options.poller.watch(entry, placeOf(first).retryAfter);
  }

  /** Resolves when no request for the lease is in flight, so that the client's next request is the last one. */
  async leave(leaseId: string): Promise<void> {
    const entry = this.#entries.get(leaseId.toLowerCase());
    if (!entry) return;
    this.#forget(leaseId.toLowerCase(), entry);
    await entry.asking;
  }

  /** The session has closed. Its places stay in the queue until they expire or another connection repeats them. */
  end(): void {
    for (const [leaseId, entry] of this.#entries) this.#forget(leaseId, entry);
  }

  #forget(leaseId: string, entry: Entry): void {
    entry.left = true;
    this.#entries.delete(leaseId);
    this.#options.poller.forget(entry);
  }
}

function placeOf({ body, retryAfterSeconds }: HttpReply): { position: number | undefined; retryAfter: number } {
  const { position, retryAfter } = (body ?? {}) as { position?: unknown; retryAfter?: unknown };
  return {
    position: typeof position === 'number' ? position : undefined,
    retryAfter: typeof retryAfter === 'number' ? retryAfter : (retryAfterSeconds ?? RETRY_AFTER_SECONDS),
  };
}
