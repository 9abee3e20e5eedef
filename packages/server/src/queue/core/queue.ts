import { type UncertaintyPolicy, uncertaintyWindowMs } from '../../granting/core/adoption';
import { type OpenSeats, openAtMost, type Reservation, type Room } from '../../reservations/core/reservations';

/** A place in the line for seats of a pool: a wish that its holder repeats until it is granted. */
export interface Place extends Room {
  /** The lease that the seats will be of. */
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

/** What a verified place token says. It proves a place that this database may never have seen. */
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

/** Who has not asked again for this long has gone away. */
export const PLACE_TTL_MS = 60_000;
/** A place that was renewed a moment ago is not written again. */
const RENEWED_WHEN_LEFT_MS = 45_000;
/** Every wait is bounded: a line that is longer than this takes nobody in. */
export const PLACES_MAX = 5_000;
/** An opening leaves this many numbers to places of the lost region, which come before all that are new. */
export const NUMBERS_RESERVED_FOR_LOST_PLACES = 1_000_000;

/** The live places of one pool, in order, while a batch is decided. */
export class Queue {
  readonly #places: Place[];
  readonly #written = new Map<string, Place>();
  readonly #left = new Set<string>();
  #lastNumber: number;

  /** `lastNumber` is the highest that was ever given out in this pool. */
  constructor(places: readonly Place[], lastNumber: number) {
    this.#places = [...places].sort((a, b) => a.number - b.number);
    this.#lastNumber = Math.max(lastNumber, this.#places.at(-1)?.number ?? 0);
  }

  /** What the database has to be told: places that are new or renewed, places that are gone, the last number. */
  get changes(): { written: readonly Place[]; left: readonly string[]; lastNumber: number } {
    return { written: [...this.#written.values()], left: [...this.#left], lastNumber: this.#lastNumber };
  }

  get isFull(): boolean {
    return this.#places.length >= PLACES_MAX;
  }

  find(isWanted: (place: Place) => boolean): Place | undefined {
    return this.#places.find(isWanted);
  }

  /** Everyone who comes before the place, or before a newcomer. */
  aheadOf(place: Place | undefined): readonly Place[] {
    const index = place ? this.#places.findIndex(({ leaseId }) => leaseId === place.leaseId) : -1;
    return index < 0 ? this.#places : this.#places.slice(0, index);
  }

  /** At the end of the line, or where it stood before the loss of a region. */
  join(wish: Omit<Place, 'number'>, claimedNumber: number | undefined): Place {
    const number = claimedNumber ?? this.#lastNumber + 1;
    this.#lastNumber = Math.max(this.#lastNumber, number);
    const place = { ...wish, number };
    const after = this.#places.findIndex((other) => other.number > number);
    this.#places.splice(after < 0 ? this.#places.length : after, 0, place);
    this.#written.set(place.leaseId, place);
    this.#left.delete(place.leaseId);
    return place;
  }

  renew(place: Place, nowMs: number): Place {
    if (place.expiresAtMs - nowMs > RENEWED_WHEN_LEFT_MS) return place;
    const renewed = { ...place, expiresAtMs: nowMs + PLACE_TTL_MS };
    this.#places[this.#places.findIndex(({ leaseId }) => leaseId === place.leaseId)] = renewed;
    this.#written.set(place.leaseId, renewed);
    return renewed;
  }

  leave(place: Place): void {
    this.#places.splice(
      this.#places.findIndex(({ leaseId }) => leaseId === place.leaseId),
      1,
    );
    this.#written.delete(place.leaseId);
    this.#left.add(place.leaseId);
  }
}

/**
 * Sets aside what those ahead in line are waiting for, so that nobody overtakes them. Where there is enough for a
 * place it is set aside, though its holder has not come back for it yet. Where there is not, everything that this
 * place may draw on is kept for it: a wish for many seats is not starved by many for one. A place that could not be
 * served even were nobody holding anything keeps nobody waiting.
 */
export function reserveAhead(
  open: OpenSeats,
  ahead: readonly Place[],
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
 * The number under which a place is taken up again that was lost with a region: its token is of an earlier epoch, so
 * that here the place has not merely lapsed, and is not older than a place can be that was waited for till the end.
 */
export function recoveredPosition(
  claim: PlaceClaim | undefined,
  { epoch, nowMs, policy }: { epoch: number; nowMs: number; policy: UncertaintyPolicy },
): number | undefined {
  if (!claim || claim.epoch >= epoch) return undefined;
  return claim.expiresAtMs + uncertaintyWindowMs(PLACE_TTL_MS, policy) < nowMs ? undefined : claim.number;
}
