/** Presence and control of triads, as the duty needs them. A call may reject with `DatabaseFailure`. */
import type { TriadClaims, TriadFacts } from './core/triad';

export interface ThisServer {
  readonly server: string;
  /** Where clients reach this very server. */
  readonly address: string;
}

export interface Taking {
  readonly servers: readonly string[];
  readonly server: string;
  readonly fromTerm: number;
}

export type TakingOutcome =
  | { readonly kind: 'taken'; readonly term: number; readonly leasesProlonged: number }
  /** Another server was faster, or the quorum was lost meanwhile. */
  | { readonly kind: 'too_late' };

export interface TriadStore {
  /** Every triad that a license names. */
  read(): Promise<readonly TriadFacts[]>;
  /** Says that this server is there. */
  beat(me: ThisServer): Promise<void>;
  /** Renews control; false when the term is not this server's any more. */
  keep(servers: readonly string[], held: { readonly server: string; readonly term: number }): Promise<boolean>;
  /**
   * Takes control, if it is still to be had, in a new term. Time without anyone in control does not count: every live
   * lease of the triad's licenses lasts for its whole TTL from here.
   */
  take(taking: Taking): Promise<TakingOutcome>;
  /** Says farewell, and gives up what control is held. */
  leave(claims: TriadClaims): Promise<void>;
}
