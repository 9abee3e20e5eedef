import { leaseIdentity, numberOf, type SeatName, sameSeats } from '../core/lease-identity';
import { keptLease, newLease } from '../core/lease-state';
import type { Grant } from '../core/verdict';
import type { KeyRing } from '../keys/key-ring';
import type { KeptLease } from '../state/schema';
import type { Contact } from '../time/server-clock';
import { type LeaseDefinition, LeaseKeeper, type LeaseKeeperOptions } from './managed-lease';

export interface LeaseBookOptions
  extends Omit<LeaseKeeperOptions, 'definition' | 'facts' | 'course' | 'onChange' | 'onOccurrence'> {
  /** The stable name of the installation, if it has one. */
  readonly installation: string | undefined;
  readonly contact: Contact;
  readonly keys: Pick<KeyRing, 'verifyKept'>;
  readonly onOccurrence: LeaseKeeperOptions['onOccurrence'];
  readonly onDropped: (leaseId: string, detail: string) => void;
  readonly onChange: () => void;
}

/** A name for a lease that is being asked for, so that no two bear the same. */
export interface Reserved {
  readonly identity: string | undefined;
  readonly number: number;
  free(): void;
}

/** All leases that are kept. */
export class LeaseBook {
  readonly #options: LeaseBookOptions;
  readonly #keepers = new Set<LeaseKeeper>();
  readonly #reserved = new Set<SeatName & { readonly number: number }>();

  constructor(options: LeaseBookOptions) {
    this.#options = options;
  }

  get keepers(): readonly LeaseKeeper[] {
    return [...this.#keepers];
  }

  get unclaimed(): readonly LeaseKeeper[] {
    return this.keepers.filter((keeper) => keeper.unclaimed);
  }

  find(leaseId: string): LeaseKeeper | undefined {
    return this.keepers.find((keeper) => keeper.id === leaseId);
  }

  kept(): readonly KeptLease[] {
    return this.keepers.map((keeper) => keeper.kept());
  }

  /** Takes over what an earlier life of the installation held, as far as its tokens prove it. */
  async restore(kept: readonly KeptLease[]): Promise<void> {
    for (const lease of kept) await this.#restoreOne(lease);
  }

  /** A lease of an earlier life that is as good as the one asked for. */
  claim(wanted: SeatName, identity: string | undefined): LeaseKeeper | undefined {
    const keeper = this.unclaimed.find(
      ({ definition, state }) =>
        sameSeats(definition, wanted) &&
        (identity === undefined || identity === definition.identity) &&
        (state === 'held' || state === 'grace' || state === 'fail_safe'),
    );
    if (keeper) keeper.unclaimed = false;
    return keeper;
  }

  reserve(wanted: SeatName, identity: string | undefined): Reserved {
    const { installation } = this.#options;
    if (identity !== undefined || installation === undefined) return { identity, number: 0, free: () => undefined };
    const others = [...this.#reserved, ...this.keepers.map(({ definition }) => definition)];
    const taken = new Set(others.filter((other) => sameSeats(other, wanted)).map(({ number }) => number));
    const named = leaseIdentity(installation, taken);
    const reserved = { ...wanted, number: named.number };
    this.#reserved.add(reserved);
    return { ...named, free: () => this.#reserved.delete(reserved) };
  }

  keep(leaseId: string, definition: LeaseDefinition, grant: Grant): LeaseKeeper {
    const known = this.find(leaseId);
    if (known) return known;
    const { licenseId, token, epoch, servedBy, overdraft } = grant;
    const { clock, random } = this.#options;
    return this.#add({
      definition,
      facts: { id: leaseId, licenseId, token, epoch, servedBy, overdraft },
      course: newLease(grant, { nowMs: clock.nowMs(), random: random() }),
    });
  }

  async #restoreOne(kept: KeptLease): Promise<void> {
    const { keys, contact, clock, random, onDropped, installation } = this.#options;
    const { leaseId, licenseId, token, borrowed, epoch, servedBy, ...definition } = kept;
    const verdict = await keys.verifyKept(token, { ...definition, leaseId });
    if (verdict.kind !== 'proven') {
      onDropped(
        leaseId,
        verdict.kind === 'refused' ? verdict.detail : 'its token is signed by a key that is not known',
      );
      return;
    }
    const { issuedAtMs, expiresAtMs, policy } = verdict.proof;
    const nowMs = clock.nowMs();
    const serverNowMs = contact.serverNowMs();
    const times = { heardAtMs: nowMs - (serverNowMs - issuedAtMs), expiresAtMs: nowMs - (serverNowMs - expiresAtMs) };
    const keeper = this.#add({
      definition: { ...definition, number: numberOf(installation, definition.identity) ?? 0 },
      facts: { id: leaseId, licenseId, token, epoch, servedBy, overdraft: false },
      course: keptLease({ ...times, policy, borrowed }, { nowMs, random: random() }),
    });
    keeper.unclaimed = true;
    const { state } = keeper;
    if (state === 'grace' || state === 'fail_safe' || state === 'suspended') {
      this.#options.onOccurrence(keeper, { kind: state, because: 'it was so when the installation was started again' });
    }
  }

  #add(lease: Pick<LeaseKeeperOptions, 'definition' | 'facts' | 'course'>): LeaseKeeper {
    const keeper = new LeaseKeeper({
      ...this.#options,
      ...lease,
      onChange: (changed) => {
        if (changed.isOver) this.#keepers.delete(changed);
        this.#options.onChange();
      },
    });
    this.#keepers.add(keeper);
    this.#options.onChange();
    return keeper;
  }
}
