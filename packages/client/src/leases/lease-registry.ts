import { identityNumber, leaseIdentity, type SeatSpec, sameSeats } from '../core/lease-identity';
import { grantedLease, restoredLease } from '../core/lease-state';
import type { Grant } from '../core/verdict';
import type { KeyRing } from '../keys/key-ring';
import type { StoredLease } from '../state/schema';
import type { ServerClock } from '../time/server-clock';
import { type LeaseDefinition, ManagedLease, type ManagedLeaseOptions } from './managed-lease';

export interface LeaseRegistryOptions
  extends Omit<ManagedLeaseOptions, 'definition' | 'facts' | 'machine' | 'onChange' | 'onLeaseEvent'> {
  /** Stable name of the installation, if it has one. */
  readonly installation: () => string | undefined;
  readonly serverClock: ServerClock;
  readonly keys: Pick<KeyRing, 'verifyStored'>;
  readonly onLeaseEvent: ManagedLeaseOptions['onLeaseEvent'];
  readonly onDropped: (leaseId: string, detail: string) => void;
  readonly onChange: () => void;
}

/** Identity of a pending checkout. No two leases of the same seats share one. */
export interface ReservedIdentity {
  readonly identity: string | undefined;
  readonly number: number;
  free(): void;
}

/** All leases that the client renews. */
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

  /** Restores the leases of the state file whose tokens are proven. */
  async restore(stored: readonly StoredLease[]): Promise<void> {
    for (const lease of stored) await this.#restoreOne(lease);
  }

  /** Returns a restored lease of the same seats that no checkout has claimed. */
  claim(spec: SeatSpec, identity: string | undefined): ManagedLease | undefined {
    const lease = this.unclaimed.find(
      ({ definition, state }) =>
        sameSeats(definition, spec) &&
        (identity === undefined || identity === definition.identity) &&
        (state === 'held' || state === 'grace' || state === 'fail_safe'),
    );
    if (lease) lease.unclaimed = false;
    return lease;
  }

  reserve(spec: SeatSpec, identity: string | undefined): ReservedIdentity {
    const installation = this.#options.installation();
    if (identity !== undefined || installation === undefined) return { identity, number: 0, free: () => undefined };
    const others = [...this.#reserved, ...this.leases.map(({ definition }) => definition)];
    const taken = new Set(others.filter((other) => sameSeats(other, spec)).map(({ number }) => number));
    const named = leaseIdentity(installation, taken);
    const reserved = { ...spec, number: named.number };
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

  async #restoreOne(stored: StoredLease): Promise<void> {
    const { keys, serverClock, clock, random, onDropped, installation } = this.#options;
    const { leaseId, licenseId, token, borrowed, epoch, servedBy, ...definition } = stored;
    const verdict = await keys.verifyStored(token, { ...definition, leaseId });
    if (verdict.kind !== 'proven') {
      onDropped(leaseId, verdict.kind === 'refused' ? verdict.detail : 'the token is signed by an unknown key');
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
      definition: { ...definition, number: identityNumber(installation(), definition.identity) ?? 0 },
      facts: { id: leaseId, licenseId, token, epoch, servedBy, overdraft: false },
      machine: restoredLease({ ...times, policy, borrowed }, { nowMs, random: random() }),
    });
    lease.unclaimed = true;
    const { state } = lease;
    if (state === 'grace' || state === 'fail_safe' || state === 'suspended') {
      this.#options.onLeaseEvent(lease, {
        kind: state,
        because: 'the lease was in this state when the client started',
      });
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
