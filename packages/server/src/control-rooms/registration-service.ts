import type { ApiTokens } from '../api-tokens/api-tokens';
import type { EpochWork, Refusal } from '../epochs/epoch-transactions';
import type { ExpectedEpoch, InEpoch } from '../epochs/store';
import type {
  Change,
  NewApiToken,
  Recovery,
  RecoveryVerdict,
  Registration,
  RegistrationVerdict,
  Registry,
  ReservationOrder,
  ReservationOutcome,
  Rotation,
  RotationVerdict,
} from './ports';

export interface RegistryDeskOptions {
  readonly registry: Registry;
  readonly work: EpochWork;
  readonly apiTokens: ApiTokens;
}

/**
 * Where Control Rooms register and API tokens come and go. Only a server that grants does it, in its epoch: what is
 * written beside the authority would be lost, and with it the word that was given.
 */
export class RegistryDesk {
  readonly #options: RegistryDeskOptions;

  constructor(options: RegistryDeskOptions) {
    this.#options = options;
  }

  /** Why nothing would be decided here now, if so. */
  refusal(): Refusal | undefined {
    return this.#options.work.refusal();
  }

  register(registration: Registration): Promise<RegistrationVerdict | Refusal> {
    return this.#change((registry, expected) => registry.register(registration, expected), registration);
  }

  rotateToken(rotation: Rotation, change: Change): Promise<RotationVerdict | Refusal> {
    return this.#change((registry, expected) => registry.rotateToken(rotation, change, expected), rotation);
  }

  recover(recovery: Recovery, change: Change): Promise<RecoveryVerdict | Refusal> {
    return this.#change((registry, expected) => registry.recover(recovery, change, expected));
  }

  setGroup(move: { readonly controlRoom: string; readonly group: string | null }, change: Change) {
    return this.#change((registry, expected) => registry.setGroup(move, change, expected), 'none');
  }

  setReservation(order: ReservationOrder, change: Change): Promise<ReservationOutcome | Refusal> {
    return this.#change((registry, expected) => registry.setReservation(order, change, expected), 'none');
  }

  createToken(token: NewApiToken, change: Change) {
    return this.#change((registry, expected) => registry.createToken(token, change, expected), token);
  }

  revokeToken(name: string, change: Change) {
    return this.#change((registry, expected) => registry.revokeToken(name, change, expected));
  }

  /** @param changes which token changes, by its SHA-256. */
  async #change<Verdict>(
    transact: (registry: Registry, expected: ExpectedEpoch) => Promise<InEpoch<Verdict>>,
    changes: { readonly tokenSha256: string } | 'any' | 'none' = 'any',
  ): Promise<Verdict | Refusal> {
    const { registry, work, apiTokens } = this.#options;
    const refusal = work.refusal();
    if (refusal) return refusal;
    const outcome = await work.run('registry', 1, (expected) => transact(registry, expected));
    if (outcome.kind !== 'done') return outcome;
    if (changes !== 'none') apiTokens.forget(changes === 'any' ? undefined : changes.tokenSha256);
    // The last thing before the answer (S5).
    return work.refusalToAcknowledge(outcome.epoch) ?? outcome.result;
  }
}
