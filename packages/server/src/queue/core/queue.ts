import { type UncertaintyPolicy, uncertaintyWindowMs } from '../../granting/core/adoption';
import { type OpenSeats, openAtMost, type Reservation, type ReservingRoom } from '../../reservations/core/reservations';

/** A place in the queue for seats of a pool. Its holder repeats the checkout until it is granted. */
export interface QueuePlace extends ReservingRoom {
  /** The id of the future lease. */
  readonly leaseId: string;
  /** Lower numbers come first. */
  readonly number: number;
  readonly seats: number;
  readonly holder: string;
  readonly identity: string | undefined;
  /** The name of the API token. */
  readonly requestedBy: string;
  readonly expiresAtMs: number;
}

/** The content of a verified queue token. It proves a place that this database may not have. */
export interface PlaceClaim {
  readonly leaseId: string;
  readonly licenseId: string;
  readonly product: string;
  readonly feature: string;
  readonly holder: string;
  readonly controlRoom: string | undefined;
  readonly identity: string | undefined;
  readonly seats: number;
  readonly number: number;
  readonly epoch: number;
  readonly expiresAtMs: number;
}

/** A place that is not renewed for this long expires. */
export const PLACE_TTL_MS = 60_000;
/** A place is renewed only when less than this is left, which saves writes. */
const RENEWED_WHEN_LEFT_MS = 45_000;
/** A queue of this length accepts no further place. */
export const PLACES_MAX = 5_000;
/** The opening of an epoch reserves this many numbers for places of the lost region, which precede all new places. */
export const NUMBERS_RESERVED_FOR_LOST_PLACES = 1_000_000;

/** The queue of one pool while a batch is decided: its live places in order. */
export class Queue {
  readonly #places: QueuePlace[];
  readonly #written = new Map<string, QueuePlace>();
  readonly #left = new Set<string>();
  #lastNumber: number;

  /** `lastNumber` is the highest number ever assigned in this pool. */
  constructor(places: readonly QueuePlace[], lastNumber: number) {
    this.#places = [...places].sort((a, b) => a.number - b.number);
    this.#lastNumber = Math.max(lastNumber, this.#places.at(-1)?.number ?? 0);
  }

  /** The changes to save: new or renewed places, removed places, and the last number. */
  get changes(): { written: readonly QueuePlace[]; left: readonly string[]; lastNumber: number } {
    return { written: [...this.#written.values()], left: [...this.#left], lastNumber: this.#lastNumber };
  }

  get isFull(): boolean {
    return this.#places.length >= PLACES_MAX;
  }

  find(isWanted: (place: QueuePlace) => boolean): QueuePlace | undefined {
    return this.#places.find(isWanted);
  }

  /** The places before `place`, or all places when it is undefined. */
  aheadOf(place: QueuePlace | undefined): readonly QueuePlace[] {
    const index = place ? this.#places.findIndex(({ leaseId }) => leaseId === place.leaseId) : -1;
    return index < 0 ? this.#places : this.#places.slice(0, index);
  }

  /** Adds a place at the end, or under the number that it had before the loss of a region. */
  join(wish: Omit<QueuePlace, 'number'>, claimedNumber: number | undefined): QueuePlace {
    const number = claimedNumber ?? this.#lastNumber + 1;
    this.#lastNumber = Math.max(this.#lastNumber, number);
    const place = { ...wish, number };
    const after = this.#places.findIndex((other) => other.number > number);
    this.#places.splice(after < 0 ? this.#places.length : after, 0, place);
    this.#written.set(place.leaseId, place);
    this.#left.delete(place.leaseId);
    return place;
  }

  renew(place: QueuePlace, nowMs: number): QueuePlace {
    if (place.expiresAtMs - nowMs > RENEWED_WHEN_LEFT_MS) return place;
    const renewed = { ...place, expiresAtMs: nowMs + PLACE_TTL_MS };
    this.#places[this.#places.findIndex(({ leaseId }) => leaseId === place.leaseId)] = renewed;
    this.#written.set(place.leaseId, renewed);
    return renewed;
  }

  leave(place: QueuePlace): void {
    this.#places.splice(
      this.#places.findIndex(({ leaseId }) => leaseId === place.leaseId),
      1,
    );
    this.#written.delete(place.leaseId);
    this.#left.add(place.leaseId);
  }
}

/**
 * Reserves seats for the places ahead, so that no request overtakes them. When enough seats are open for a place, they are
 * reserved although its holder has not repeated the checkout yet. Otherwise all seats that the place may use are reserved,
 * so that requests for one seat do not starve a request for many. A place that exceeds the whole capacity is skipped.
 */
export function reserveAhead(
  open: OpenSeats,
  ahead: readonly QueuePlace[],
  { capacity, reservations }: { capacity: number; reservations: readonly Reservation[] },
): void {
  for (const place of ahead) {
    if (open.nothingLeft) return;
    if (place.seats > openAtMost(capacity, reservations, place)) continue;
    if (place.seats <= open.openTo(place)) open.take(place, place.seats);
    else open.close(place);
  }
}

/**
 * The number under which a place of a lost region is restored. Its token must be of an earlier epoch, because a token of
 * this epoch belongs to a place that expired here. The token must not be older than a place can be at the opening.
 */
export function recoveredPosition(
  claim: PlaceClaim | undefined,
  { epoch, nowMs, policy }: { epoch: number; nowMs: number; policy: UncertaintyPolicy },
): number | undefined {
  if (!claim || claim.epoch >= epoch) return undefined;
  return claim.expiresAtMs + uncertaintyWindowMs(PLACE_TTL_MS, policy) < nowMs ? undefined : claim.number;
}
