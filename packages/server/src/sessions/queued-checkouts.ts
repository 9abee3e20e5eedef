import type { Reply } from '../platform/http/reply';
import type { QueuedCheckout, QueuePoller } from '../queue/queue-poller';
import { answerOf, type QueueEvent, type SessionMessage } from './messages';

export interface SessionLineOptions {
  readonly watch: QueuePoller;
  readonly placesMax: number;
  /** Carries the checkout out once more. Never rejects. */
  readonly ask: (checkout: Checkout) => Promise<Reply>;
  readonly tell: (event: QueueEvent) => void;
}

type Checkout = Extract<SessionMessage, { op: 'checkout' }>;

interface Standing extends QueuedCheckout {
  /** The question that is under way. */
  asking: Promise<unknown> | undefined;
  left: boolean;
}

/** The answer of a checkout that stands in line. */
export const IN_LINE = 202;
const RETRY_AFTER_SECONDS = 1;

/** The checkouts of one session that stand in line: asked for again, and told of when something changes. */
export class QueuedCheckouts {
  readonly #options: SessionLineOptions;
  readonly #standing = new Map<string, Standing>();

  constructor(options: SessionLineOptions) {
    this.#options = options;
  }

  /** `first` is the answer that put it in line. Beyond `placesMax` a client has to ask by itself. */
  join(checkout: Checkout, first: Reply): void {
    if (this.#standing.size >= this.#options.placesMax) return;
    const leaseId = checkout.leaseId.toLowerCase();
    let position = placeOf(first).position;
    const standing: Standing = {
      asking: undefined,
      left: false,
      ask: async () => {
        const asking = this.#options.ask(checkout);
        standing.asking = asking;
        const reply = await asking;
        if (standing.left) return undefined;
        const place = placeOf(reply);
        const goesOn = reply.status === IN_LINE || reply.status >= 500;
        if (!goesOn) this.#standing.delete(leaseId);
        // A server that cannot say anything now is no news to who waits.
        if (reply.status < 500 && place.position !== position) {
          const { id: _id, ...answer } = answerOf(null, reply);
          this.#options.tell({ event: 'queue', leaseId, ...answer });
        }
        position = place.position ?? position;
        return goesOn ? place.retryAfter : undefined;
      },
    };
    this.#standing.set(leaseId, standing);
    this.#options.watch.watch(standing, placeOf(first).retryAfter);
  }

  /** Resolves when nothing is asked for it any more: what its client says next has the last word. */
  async leave(leaseId: string): Promise<void> {
    const standing = this.#standing.get(leaseId.toLowerCase());
    if (!standing) return;
    this.#forget(leaseId.toLowerCase(), standing);
    await standing.asking;
  }

  /** The session has closed. Its places stay in line until they lapse, or are asked for over another connection. */
  end(): void {
    for (const [leaseId, standing] of this.#standing) this.#forget(leaseId, standing);
  }

  #forget(leaseId: string, standing: Standing): void {
    standing.left = true;
    this.#standing.delete(leaseId);
    this.#options.watch.forget(standing);
  }
}

function placeOf({ body, retryAfterSeconds }: Reply): { position: number | undefined; retryAfter: number } {
  const { position, retryAfter } = (body ?? {}) as { position?: unknown; retryAfter?: unknown };
  return {
    position: typeof position === 'number' ? position : undefined,
    retryAfter: typeof retryAfter === 'number' ? retryAfter : (retryAfterSeconds ?? RETRY_AFTER_SECONDS),
  };
}
