import type { Attribution } from '../audit/attribution';
import { acknowledgedVerdict } from '../epochs/acknowledged-change';
import type { EpochTransactions, Refusal } from '../epochs/epoch-transactions';
import type { ReservationOrder, ReservationOutcome, ReservationStore } from './store';

export interface ReservationServiceOptions {
  readonly store: Pick<ReservationStore, 'set'>;
  readonly transactions: EpochTransactions;
}

/** Sets and removes reservations. Only a granting server does so: a change outside its epoch would be lost. */
export class ReservationService {
  readonly #options: ReservationServiceOptions;

  constructor(options: ReservationServiceOptions) {
    this.#options = options;
  }

  set(order: ReservationOrder, attribution: Attribution): Promise<ReservationOutcome | Refusal> {
    const { store, transactions } = this.#options;
    return acknowledgedVerdict(transactions, {
      verb: 'registry',
      transact: (expected) => store.set(order, attribution, expected),
    });
  }
}
