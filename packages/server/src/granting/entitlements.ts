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

/** What the database says of an entitlement counts when the vendor signed it. */
export type ProvenVerdict = EntitlementVerdict | IntegrityFailure;

/** Remembers which pool an entitlement has, so that a checkout need not ask; counts are never remembered. */
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

  /** The database says otherwise now. What was read anew meanwhile is kept. */
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
