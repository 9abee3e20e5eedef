import type { Attribution } from '../audit/attribution';
import type { AcknowledgementGate, GatedVerdict } from '../epochs/acknowledgement-gate';
import type { ReservationOrder, ReservationOutcome, ReservationStore } from './store';

export interface ReservationServiceOptions {
  readonly store: Pick<ReservationStore, 'set'>;
  readonly gate: AcknowledgementGate;
}

/** Sets and removes reservations. Only a granting server does so: a change outside its epoch would be lost. */
export class ReservationService {
  readonly #options: ReservationServiceOptions;

  constructor(options: ReservationServiceOptions) {
    this.#options = options;
  }

  set(order: ReservationOrder, attribution: Attribution): Promise<GatedVerdict<ReservationOutcome, 'reserved'>> {
    const { store, gate } = this.#options;
    return gate.change({
      verb: 'registry',
      covers: 'replicated',
      changes: ['reserved'],
      transact: (expected) => store.set(order, attribution, expected),
    });
  }
}
