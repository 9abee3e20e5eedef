import { type PeerView, type QuorumVerdict, quorumVerdict } from './quorum';

/**
 * The three servers that a license of kind redundant is dedicated to. Ages are milliseconds by the database's clock,
 * all read at the same instant.
 */
export interface TriadFacts {
  /** As region/name, in the order of the license. An earlier server is preferred. */
  readonly servers: readonly string[];
  readonly control: Control;
  /** Age of the last heartbeat of each server; a server without any heartbeat is missing. */
  readonly seenAgoMs: ReadonlyMap<string, number>;
  /** The address at which clients reach each of these servers. */
  readonly addresses: ReadonlyMap<string, string>;
}

/** The server that may grant: a row that is acquired by compare-and-set and renewed while there is a quorum. */
export interface Control {
  /** Increases with every acquisition; 0 before the first one. */
  readonly term: number;
  /** Undefined when control was resigned, or never acquired. */
  readonly server: string | undefined;
  /** Since the last renewal, or since control was resigned. */
  readonly renewedAgoMs: number;
}

export interface TriadPolicy {
  /** A server without a heartbeat for this long is absent. */
  readonly presenceMs: number;
  /** How long control lasts without a renewal. */
  readonly controlLeaseMs: number;
  /** Control of another server is acquired only this long after it has expired. */
  readonly skewMs: number;
  /** How long a server leaves vacant control to each preferred server that is not known to be absent. */
  readonly patienceMs: number;
}

export const TRIAD_POLICY: TriadPolicy = { presenceMs: 3_000, controlLeaseMs: 3_000, skewMs: 500, patienceMs: 1_000 };

/** What a process holds of one triad: its server name, and the term that it acquired itself and renewed in time. */
export interface TriadClaim {
  readonly server: string;
  readonly term: number | undefined;
}

/** The claims on all triads; terms are keyed by `triadName`. */
export interface TriadClaims {
  readonly server: string;
  readonly terms: ReadonlyMap<string, number>;
}

export type TriadRefusal =
  | { readonly kind: 'license_wrong_server'; readonly servers: readonly string[] }
  | {
      readonly kind: 'no_quorum';
      readonly quorum: Exclude<QuorumVerdict, 'won'>;
      readonly present: readonly string[];
      readonly servers: readonly string[];
    }
  /** `inControl` is undefined while no server is in control. */
  | {
      readonly kind: 'not_in_control';
      readonly inControl: string | undefined;
      readonly address: string | undefined;
    };

export type TriadVerdict = { readonly kind: 'in_control'; readonly term: number } | TriadRefusal;

export function viewOf({ seenAgoMs }: TriadFacts, server: string, { presenceMs }: TriadPolicy): PeerView {
  const agoMs = seenAgoMs.get(server);
  if (agoMs === undefined) return 'unknown';
  return agoMs < presenceMs ? 'present' : 'absent';
}

export function quorumOf(facts: TriadFacts, policy: TriadPolicy): QuorumVerdict {
  return quorumVerdict(facts.servers.map((server) => viewOf(facts, server, policy)));
}

/** The server that is in control now, according to the database. */
export function serverInControl({ control }: TriadFacts, { controlLeaseMs }: TriadPolicy): string | undefined {
  return control.renewedAgoMs < controlLeaseMs ? control.server : undefined;
}

/**
 * Decides whether this server may serve a redundant license. Every granting transaction on such a license evaluates it
 * on facts read in that transaction. Control changes only under the lock that the transaction shares, so the verdict
 * holds until the commit. The name in the row is not sufficient: a process that was stopped, or its successor of the
 * same name, has not renewed the term.
 */
export function triadVerdict(facts: TriadFacts, claim: TriadClaim, policy: TriadPolicy): TriadVerdict {
  const { servers, control } = facts;
  if (!servers.includes(claim.server)) return { kind: 'license_wrong_server', servers };
  const quorum = quorumOf(facts, policy);
  if (quorum !== 'won') {
    const present = servers.filter((server) => viewOf(facts, server, policy) === 'present');
    return { kind: 'no_quorum', quorum, present, servers };
  }
  const inControl = serverInControl(facts, policy);
  if (inControl === claim.server && control.term === claim.term) return { kind: 'in_control', term: control.term };
  if (inControl === undefined || inControl === claim.server) {
    return { kind: 'not_in_control', inControl: undefined, address: undefined };
  }
  return { kind: 'not_in_control', inControl, address: facts.addresses.get(inControl) };
}

export type TriadStep =
  | { readonly kind: 'renew'; readonly term: number }
  | { readonly kind: 'acquire'; readonly fromTerm: number }
  | {
      readonly kind: 'wait';
      readonly reason: 'not_member' | 'no_quorum' | 'in_control_elsewhere' | 'not_expired' | 'preferred_first';
    };

/**
 * Decides what a server does about control now. Control is renewed and acquired only with a quorum, so a server that
 * loses the quorum loses control too. Leases are prolonged with every acquisition. A preferred server that returns does
 * not take control back; it waits like the others.
 */
export function triadStep(facts: TriadFacts, claim: TriadClaim, policy: TriadPolicy): TriadStep {
  const { servers, control } = facts;
  if (!servers.includes(claim.server)) return { kind: 'wait', reason: 'not_member' };
  if (quorumOf(facts, policy) !== 'won') return { kind: 'wait', reason: 'no_quorum' };
  const inControl = serverInControl(facts, policy);
  if (inControl === claim.server && control.term === claim.term) return { kind: 'renew', term: control.term };
  if (inControl !== undefined && inControl !== claim.server) return { kind: 'wait', reason: 'in_control_elsewhere' };
  const vacantMs = vacancyMs(control, policy);
  if (vacantMs < 0) return { kind: 'wait', reason: 'not_expired' };
  if (vacantMs < preferredBefore(facts, claim.server, policy) * policy.patienceMs) {
    return { kind: 'wait', reason: 'preferred_first' };
  }
  return { kind: 'acquire', fromTerm: control.term };
}

/** How long control has been vacant; negative while the holder's clock may still consider it valid. */
function vacancyMs({ server, renewedAgoMs }: Control, { controlLeaseMs, skewMs }: TriadPolicy): number {
  return server === undefined ? renewedAgoMs : renewedAgoMs - controlLeaseMs - skewMs;
}

/** Number of servers that are preferred to this one and not known to be absent. */
function preferredBefore(facts: TriadFacts, server: string, policy: TriadPolicy): number {
  const before = facts.servers.slice(0, facts.servers.indexOf(server));
  return before.filter((other) => viewOf(facts, other, policy) !== 'absent').length;
}

export function claimOn({ server, terms }: TriadClaims, servers: readonly string[]): TriadClaim {
  return { server, term: terms.get(triadName(servers)) };
}

/** Identifies a triad by its three servers, in order. */
export function triadName(servers: readonly string[]): string {
  return servers.join(',');
}
