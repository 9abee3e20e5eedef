import type { Entitlement, LicenseDatabase, MonotonicClock } from '../ports';

const KNOWN_FOR_MS = 10_000;
const UNKNOWN_FOR_MS = 1_000;
const REMEMBERED_MAX = 10_000;

interface Remembered {
  readonly found: Promise<Entitlement | undefined>;
  untilMs: number;
}

/** Remembers which pool an entitlement has, so that a checkout need not ask; counts are never remembered. */
export class Entitlements {
  readonly #database: LicenseDatabase;
  readonly #clock: MonotonicClock;
  readonly #remembered = new Map<string, Remembered>();

  constructor(database: LicenseDatabase, clock: MonotonicClock) {
    this.#database = database;
    this.#clock = clock;
  }

  find(name: { product: string; feature: string }): Promise<Entitlement | undefined> {
    const key = JSON.stringify([name.product, name.feature]);
    const nowMs = this.#clock.nowMs();
    const known = this.#remembered.get(key);
    if (known && known.untilMs > nowMs) return known.found;

    if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered.clear();
    const entry: Remembered = { found: this.#database.findEntitlement(name), untilMs: nowMs + KNOWN_FOR_MS };
    this.#remembered.set(key, entry);
    entry.found.then(
      (entitlement) => {
        if (!entitlement) entry.untilMs = nowMs + UNKNOWN_FOR_MS;
      },
      () => this.#remembered.delete(key),
    );
    return entry.found;
  }

  /** The database no longer has what was remembered. */
  forget(): void {
    this.#remembered.clear();
  }
}
