import type { Attribution } from '../audit/attribution';
import { acknowledgedVerdict } from '../epochs/acknowledged-change';
import type { EpochWork, Refusal } from '../epochs/epoch-transactions';
import type { ReservationOrder, ReservationOutcome, ReservationStore } from './store';

export interface ReservationServiceOptions {
  readonly store: Pick<ReservationStore, 'set'>;
  readonly work: EpochWork;
}

/** Sets and removes reservations. Only a granting server does so: a change outside its epoch would be lost. */
export class ReservationService {
  readonly #options: ReservationServiceOptions;

  constructor(options: ReservationServiceOptions) {
    this.#options = options;
  }

  set(order: ReservationOrder, attribution: Attribution): Promise<ReservationOutcome | Refusal> {
    const { store, work } = this.#options;
    return acknowledgedVerdict(work, {
      verb: 'registry',
      transact: (expected) => store.set(order, attribution, expected),
    });
  }
}
