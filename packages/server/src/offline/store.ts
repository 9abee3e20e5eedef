import type { Attribution } from '../audit/attribution';
import type { ControlRoomState } from '../auth/core/caller';
import type { ExpectedEpoch, InEpoch } from '../epochs/store';

/** An offline request as the store records it. */
export interface ExchangeRequest {
  readonly controlRoom: string;
  readonly name: string;
  readonly nonce: string;
  /** SHA-256 in hex. */
  readonly requestSha256: string;
}

/** An exchange whose request has no response yet. */
export interface StartedExchange {
  readonly kind: 'started';
  readonly attempt: number;
  readonly licenseId: string;
  readonly product: string;
  readonly state: ControlRoomState;
}

export type ExchangeStart =
  | StartedExchange
  | { readonly kind: 'answered'; readonly response: string }
  | { readonly kind: 'offline_nonce_reused' | 'control_room_not_found' | 'license_ambiguous' | 'license_not_valid' };

/** One attempt to answer a request. It is void as soon as a later attempt has started. */
export interface ExchangeAttempt {
  readonly nonce: string;
  readonly attempt: number;
}

export interface ExchangeResponse extends ExchangeAttempt {
  /** The signed response. */
  readonly response: string;
  readonly lentUntilMs: number;
}

export interface AnsweredExchange {
  readonly controlRoom: string;
  readonly licenseId: string;
  readonly response: string;
  readonly receipt: string | undefined;
}

/**
 * Exchanges of files with offline Control Rooms, in the license database. Each call may reject with `DatabaseFailure`.
 */
export interface OfflineStore {
  start(request: ExchangeRequest, attribution: Attribution, expected: ExpectedEpoch): Promise<InEpoch<ExchangeStart>>;
  /** Voids an attempt. Resolves to false when the attempt is not the newest one, or the request is answered. */
  abandon(attempt: ExchangeAttempt, expected: ExpectedEpoch): Promise<InEpoch<boolean>>;
  /**
   * Stores the response. Resolves to the stored response, which is that of a concurrent attempt if that one was first,
   * or to undefined when the attempt is void.
   */
  answer(
    response: ExchangeResponse,
    attribution: Attribution,
    expected: ExpectedEpoch,
  ): Promise<InEpoch<string | undefined>>;
  /** Returns the exchange of a nonce once it is answered. */
  find(nonce: string): Promise<AnsweredExchange | undefined>;
  /** Stores the receipt of a return. Resolves to the stored receipt. */
  close(
    closing: { readonly nonce: string; readonly receipt: string },
    attribution: Attribution,
    expected: ExpectedEpoch,
  ): Promise<InEpoch<string>>;
}
