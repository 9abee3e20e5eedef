import type { TriadClaims, TriadFacts } from './core/triad';

export interface TriadServer {
  readonly server: string;
  /** The address at which clients reach this server itself. */
  readonly address: string;
}

export interface HeldControl {
  readonly server: string;
  readonly term: number;
}

export interface ControlAcquisition {
  readonly servers: readonly string[];
  readonly server: string;
  readonly fromTerm: number;
}

export type AcquisitionOutcome =
  | { readonly kind: 'acquired'; readonly term: number; readonly leasesProlonged: number }
  /** Another server was faster, or the quorum was lost in between. */
  | { readonly kind: 'too_late' };

/** Presence and control of triads, in the license database. Each call may reject with `DatabaseFailure`. */
export interface TriadStore {
  /** Returns every triad that a license names. */
  read(): Promise<readonly TriadFacts[]>;
  /** Records that this server is present. */
  heartbeat(server: TriadServer): Promise<void>;
  /** Renews control. Resolves to false when another server has started a later term. */
  renew(servers: readonly string[], held: HeldControl): Promise<boolean>;
  /**
   * Acquires control in a new term, if it is still vacant. The vacancy does not count against holders: every live lease
   * of the triad's licenses lasts at least its whole TTL from now on.
   */
  acquire(acquisition: ControlAcquisition): Promise<AcquisitionOutcome>;
  /** Gives up all held control and records that this server is absent. */
  resign(claims: TriadClaims): Promise<void>;
}
