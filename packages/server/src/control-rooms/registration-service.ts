import type { ApiTokenVerifier } from '../api-tokens/api-token-verifier';
import type { Attribution } from '../audit/attribution';
import type { Acknowledged, AcknowledgementGate, GatedVerdict } from '../epochs/acknowledgement-gate';
import type { Refusal } from '../epochs/epoch-transactions';
import type {
  ControlRoomStore,
  GroupAssignment,
  GroupAssignmentVerdict,
  Recovery,
  RecoveryVerdict,
  Registration,
  RegistrationVerdict,
  Rotation,
  RotationVerdict,
} from './store';

export interface RegistrationServiceOptions {
  readonly store: Pick<ControlRoomStore, 'register' | 'rotateToken' | 'recover' | 'assignGroup'>;
  readonly gate: AcknowledgementGate;
  readonly tokenVerifier: ApiTokenVerifier;
}

/**
 * Registers Control Rooms and changes their tokens and groups. Only a granting server does so: a change outside its
 * epoch would be lost.
 */
export class RegistrationService {
  readonly #options: RegistrationServiceOptions;

  constructor(options: RegistrationServiceOptions) {
    this.#options = options;
  }

  /** Acknowledges a heartbeat, which the next one repeats, so it waits for no follower. */
  acknowledgeHeartbeat<T>(answer: T): Acknowledged<T> | Refusal {
    return this.#options.gate.acknowledgeUnchanged(answer);
  }

  register(
    registration: Registration,
  ): Promise<GatedVerdict<RegistrationVerdict, 'registered' | 'known' | 'recovered'>> {
    const { store, gate, tokenVerifier } = this.#options;
    return gate.change({
      verb: 'registry',
      covers: 'replicated',
      changes: ['registered', 'known', 'recovered'],
      transact: (expected) => store.register(registration, expected),
      onCommit: () => tokenVerifier.forget(registration.tokenSha256),
    });
  }

  rotateToken(
    rotation: Rotation,
    attribution: Attribution,
  ): Promise<GatedVerdict<RotationVerdict, 'created' | 'known'>> {
    const { store, gate, tokenVerifier } = this.#options;
    return gate.change({
      verb: 'registry',
      covers: 'replicated',
      changes: ['created', 'known'],
      transact: (expected) => store.rotateToken(rotation, attribution, expected),
      onCommit: () => tokenVerifier.forget(rotation.tokenSha256),
    });
  }

  recover(recovery: Recovery, attribution: Attribution): Promise<GatedVerdict<RecoveryVerdict, 'opened'>> {
    const { store, gate, tokenVerifier } = this.#options;
    return gate.change({
      verb: 'registry',
      covers: 'replicated',
      changes: ['opened'],
      transact: (expected) => store.recover(recovery, attribution, expected),
      // Recovery revokes every token of the Control Room; their hashes are unknown here.
      onCommit: () => tokenVerifier.forget(),
    });
  }

  assignGroup(
    assignment: GroupAssignment,
    attribution: Attribution,
  ): Promise<GatedVerdict<GroupAssignmentVerdict, 'changed'>> {
    const { store, gate } = this.#options;
    return gate.change({
      verb: 'registry',
      covers: 'replicated',
      changes: ['changed'],
      transact: (expected) => store.assignGroup(assignment, attribution, expected),
    });
  }
}
