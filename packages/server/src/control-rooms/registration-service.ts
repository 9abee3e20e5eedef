import type { ApiTokenVerifier } from '../api-tokens/api-token-verifier';
import type { Attribution } from '../audit/attribution';
import { acknowledgedVerdict } from '../epochs/acknowledged-change';
import type { EpochTransactions, Refusal } from '../epochs/epoch-transactions';
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
  readonly transactions: EpochTransactions;
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

  /** Returns the refusal that a change would get now, if any. */
  refusal(): Refusal | undefined {
    return this.#options.transactions.precheck();
  }

  register(registration: Registration): Promise<RegistrationVerdict | Refusal> {
    const { store, transactions, tokenVerifier } = this.#options;
    return acknowledgedVerdict(transactions, {
      verb: 'registry',
      transact: (expected) => store.register(registration, expected),
      onCommit: () => tokenVerifier.forget(registration.tokenSha256),
    });
  }

  rotateToken(rotation: Rotation, attribution: Attribution): Promise<RotationVerdict | Refusal> {
    const { store, transactions, tokenVerifier } = this.#options;
    return acknowledgedVerdict(transactions, {
      verb: 'registry',
      transact: (expected) => store.rotateToken(rotation, attribution, expected),
      onCommit: () => tokenVerifier.forget(rotation.tokenSha256),
    });
  }

  recover(recovery: Recovery, attribution: Attribution): Promise<RecoveryVerdict | Refusal> {
    const { store, transactions, tokenVerifier } = this.#options;
    return acknowledgedVerdict(transactions, {
      verb: 'registry',
      transact: (expected) => store.recover(recovery, attribution, expected),
      // Recovery revokes every token of the Control Room; their hashes are unknown here.
      onCommit: () => tokenVerifier.forget(),
    });
  }

  assignGroup(assignment: GroupAssignment, attribution: Attribution): Promise<GroupAssignmentVerdict | Refusal> {
    const { store, transactions } = this.#options;
    return acknowledgedVerdict(transactions, {
      verb: 'registry',
      transact: (expected) => store.assignGroup(assignment, attribution, expected),
    });
  }
}
