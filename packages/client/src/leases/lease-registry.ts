import { identityNumber, leaseIdentity, type SeatSpec, sameSeats } from '../core/lease-identity';
import { grantedLease, restoredLease } from '../core/lease-state';
import type { Grant } from '../core/verdict';
import type { KeyRing } from '../keys/key-ring';
import type { StoredLease } from '../state/schema';
import type { ServerClock } from '../time/server-clock';
import { type LeaseDefinition, ManagedLease, type ManagedLeaseOptions } from './managed-lease';

export interface LeaseRegistryOptions
  extends Omit<ManagedLeaseOptions, 'definition' | 'facts' | 'machine' | 'onChange' | 'onLeaseEvent'> {
  /** The stable name of the installation, if it has one. */
  readonly installation: string | undefined;
  readonly serverClock: ServerClock;
  readonly keys: Pick<KeyRing, 'verifyStored'>;
  readonly onLeaseEvent: ManagedLeaseOptions['onLeaseEvent'];
  readonly onDropped: (leaseId: string, detail: string) => void;
  readonly onChange: () => void;
}

/** A name for a lease that is being asked for, so that no two bear the same. */
export interface ReservedIdentity {
  readonly identity: string | undefined;
  readonly number: number;
  free(): void;
}

/** All leases that are kept. */
export class LeaseRegistry {
  readonly #options: LeaseRegistryOptions;
  readonly #leases = new Set<ManagedLease>();
  readonly #reserved = new Set<SeatSpec & { readonly number: number }>();

  constructor(options: LeaseRegistryOptions) {
    this.#options = options;
  }

  get leases(): readonly ManagedLease[] {
    return [...this.#leases];
  }

  get unclaimed(): readonly ManagedLease[] {
    return this.leases.filter((lease) => lease.unclaimed);
  }

  find(leaseId: string): ManagedLease | undefined {
    return this.leases.find((lease) => lease.id === leaseId);
  }

  toStored(): readonly StoredLease[] {
    return this.leases.map((lease) => lease.toStored());
  }

  /** Takes over what an earlier life of the installation held, as far as its tokens prove it. */
  async restore(kept: readonly StoredLease[]): Promise<void> {
    for (const lease of kept) await this.#restoreOne(lease);
  }

  /** A lease of an earlier life that is as good as the one asked for. */
  claim(wanted: SeatSpec, identity: string | undefined): ManagedLease | undefined {
    const lease = this.unclaimed.find(
      ({ definition, state }) =>
        sameSeats(definition, wanted) &&
        (identity === undefined || identity === definition.identity) &&
        (state === 'held' || state === 'grace' || state === 'fail_safe'),
    );
    if (lease) lease.unclaimed = false;
    return lease;
  }

  reserve(wanted: SeatSpec, identity: string | undefined): ReservedIdentity {
    const { installation } = this.#options;
    if (identity !== undefined || installation === undefined) return { identity, number: 0, free: () => undefined };
    const others = [...this.#reserved, ...this.leases.map(({ definition }) => definition)];
    const taken = new Set(others.filter((other) => sameSeats(other, wanted)).map(({ number }) => number));
    const named = leaseIdentity(installation, taken);
    const reserved = { ...wanted, number: named.number };
    this.#reserved.add(reserved);
    return { ...named, free: () => this.#reserved.delete(reserved) };
  }

  keep(leaseId: string, definition: LeaseDefinition, grant: Grant): ManagedLease {
    const known = this.find(leaseId);
    if (known) return known;
    const { licenseId, token, epoch, servedBy, overdraft } = grant;
    const { clock, random } = this.#options;
    return this.#add({
      definition,
      facts: { id: leaseId, licenseId, token, epoch, servedBy, overdraft },
      machine: grantedLease(grant, { nowMs: clock.nowMs(), random: random() }),
    });
  }

  async #restoreOne(kept: StoredLease): Promise<void> {
    const { keys, serverClock, clock, random, onDropped, installation } = this.#options;
    const { leaseId, licenseId, token, borrowed, epoch, servedBy, ...definition } = kept;
    const verdict = await keys.verifyStored(token, { ...definition, leaseId });
    if (verdict.kind !== 'proven') {
      onDropped(
        leaseId,
        verdict.kind === 'refused' ? verdict.detail : 'its token is signed by a key that is not known',
      );
      return;
    }
    const { issuedAtMs, expiresAtMs, policy } = verdict.proof;
    const nowMs = clock.nowMs();
    const serverNowMs = serverClock.nowMs();
    const times = {
      confirmedAtMs: nowMs - (serverNowMs - issuedAtMs),
      expiresAtMs: nowMs - (serverNowMs - expiresAtMs),
    };
    const lease = this.#add({
      definition: { ...definition, number: identityNumber(installation, definition.identity) ?? 0 },
      facts: { id: leaseId, licenseId, token, epoch, servedBy, overdraft: false },
      machine: restoredLease({ ...times, policy, borrowed }, { nowMs, random: random() }),
    });
    lease.unclaimed = true;
    const { state } = lease;
    if (state === 'grace' || state === 'fail_safe' || state === 'suspended') {
      this.#options.onLeaseEvent(lease, { kind: state, because: 'it was so when the installation was started again' });
    }
  }

  #add(options: Pick<ManagedLeaseOptions, 'definition' | 'facts' | 'machine'>): ManagedLease {
    const lease = new ManagedLease({
      ...this.#options,
      ...options,
      onChange: (changed) => {
        if (changed.isFinished) this.#leases.delete(changed);
        this.#options.onChange();
      },
    });
    this.#leases.add(lease);
    this.#options.onChange();
    return lease;
  }
}
