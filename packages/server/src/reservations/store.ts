import type { Attribution } from '../audit/attribution';
import type { ExpectedEpoch, InEpoch } from '../epochs/store';
import type { ReservationVerdict } from './core/reservation-change';

/** The seats of an entitlement to reserve for one Control Room or for one group. Exactly one of the two is set. */
export interface ReservationOrder {
  readonly licenseId: string;
  readonly feature: string;
  readonly controlRoom: string | undefined;
  readonly group: string | undefined;
  /** 0 removes the reservation. */
  readonly seats: number;
}

export type ReservationOutcome =
  | ReservationVerdict
  | { readonly kind: 'entitlement_not_found' }
  /** The license file makes this reservation, so only a new issue of the license can change it. */
  | { readonly kind: 'reservation_of_license' };

export interface ReservationView {
  readonly licenseId: string;
  readonly product: string;
  readonly feature: string;
  readonly controlRoom: string | null;
  readonly group: string | null;
  readonly seats: number;
  readonly source: 'license_file' | 'administrator';
}

/** Reservations in the license database. Each call may reject with `DatabaseFailure`. */
export interface ReservationStore {
  set(order: ReservationOrder, attribution: Attribution, expected: ExpectedEpoch): Promise<InEpoch<ReservationOutcome>>;
  /** Returns all reservations, or those of one license. */
  read(licenseId: string | undefined): Promise<ReservationView[]>;
}
