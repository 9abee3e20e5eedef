import type { IntegrityChecks, IntegrityFailure } from '../licenses/integrity-checks';
import type { MonotonicClock } from '../platform/clock';
import {
  type Entitlement,
  type EntitlementName,
  type EntitlementVerdict,
  entitlementVerdict,
} from './core/entitlement';
import type { EntitlementStore } from './store';

const KNOWN_FOR_MS = 10_000;
const UNKNOWN_FOR_MS = 1_000;
const REMEMBERED_MAX = 10_000;

interface Remembered {
  readonly found: Promise<ProvenVerdict>;
  entitlement: Entitlement | undefined;
  untilMs: number;
}

/** The verdict on an entitlement, after its rows were compared with the signed license file. */
export type ProvenVerdict = EntitlementVerdict | IntegrityFailure;

/** Caches the pool of each entitlement, so that a checkout needs no lookup. Seat counts are never cached. */
export class Entitlements {
  readonly #store: EntitlementStore;
  readonly #clock: MonotonicClock;
  readonly #integrityChecks: IntegrityChecks;
  readonly #remembered = new Map<string, Remembered>();

  constructor(options: { store: EntitlementStore; clock: MonotonicClock; integrityChecks: IntegrityChecks }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#integrityChecks = options.integrityChecks;
  }

  find(name: EntitlementName): Promise<ProvenVerdict> {
    const key = keyOf(name);
    const nowMs = this.#clock.nowMs();
    const known = this.#remembered.get(key);
    if (known && known.untilMs > nowMs) return known.found;

    if (this.#remembered.size >= REMEMBERED_MAX) this.#remembered.clear();
    const entry: Remembered = { found: this.#read(name), entitlement: undefined, untilMs: nowMs + KNOWN_FOR_MS };
    this.#remembered.set(key, entry);
    entry.found.then(
      (verdict) => {
        if (verdict.kind === 'found') entry.entitlement = verdict.entitlement;
        else entry.untilMs = nowMs + UNKNOWN_FOR_MS;
      },
      () => this.#remembered.delete(key),
    );
    return entry.found;
  }

  /** Drops the cached entitlement after its rows have changed. Entries that were read again since then stay. */
  forget(entitlement: Entitlement): void {
    for (const [key, entry] of this.#remembered) {
      if (entry.entitlement === entitlement) this.#remembered.delete(key);
    }
  }

  async #read(name: EntitlementName): Promise<ProvenVerdict> {
    const verdict = entitlementVerdict(await this.#store.find(name));
    if (verdict.kind !== 'found') return verdict;
    return (await this.#integrityChecks.check(verdict.entitlement)) ?? verdict;
  }
}

function keyOf({ licenseId, product, feature }: EntitlementName): string {
  return JSON.stringify([licenseId ?? null, product, feature]);
}
