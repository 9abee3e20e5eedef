import { type PeerView, type QuorumVerdict, quorumVerdict } from './quorum';

/**
 * The three servers that a license of kind redundant is dedicated to, as the license database knows them. Ages are
 * milliseconds by its clock, all read at one moment.
 */
export interface TriadFacts {
  /** As region/name, in the order of the license: an earlier one is preferred. */
  readonly servers: readonly string[];
  readonly control: Control;
  /** How long ago each server said that it is there; none for a server that never did. */
  readonly seenAgoMs: ReadonlyMap<string, number>;
  /** Where clients reach each of those. */
  readonly addresses: ReadonlyMap<string, string>;
}

/** Who may grant: a row that is taken by compare and set, and renewed while there is a quorum. */
export interface Control {
  /** Only grows; each change of hands is a new one. 0: nobody has had control yet. */
  readonly term: number;
  /** Undefined: given up, or never taken. */
  readonly server: string | undefined;
  /** Since the last renewal, or since control was given up. */
  readonly renewedAgoMs: number;
}

export interface TriadPolicy {
  /** A server that has not said for so long that it is there is absent. */
  readonly presenceMs: number;
  /** How long control lasts without a renewal. */
  readonly controlLeaseMs: number;
  /** Control is taken from another only so long after it has lapsed. */
  readonly skewMs: number;
  /** How long a server waits for each preferred one that might be there to take vacant control first. */
  readonly patienceMs: number;
}

export const TRIAD_POLICY: TriadPolicy = { presenceMs: 3_000, controlLeaseMs: 3_000, skewMs: 500, patienceMs: 1_000 };

/** What a process holds of one triad: its server's name, and the term that it has taken itself and renewed in time. */
export interface TriadClaim {
  readonly server: string;
  readonly term: number | undefined;
}

/** The same of all triads, the terms by `triadName`. */
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
  /** Undefined: nobody is in control at this moment. */
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

/** The server that is in control now, by the database's word. */
export function serverInControl({ control }: TriadFacts, { controlLeaseMs }: TriadPolicy): string | undefined {
  return control.renewedAgoMs < controlLeaseMs ? control.server : undefined;
}

/**
 * Asked inside every granting transaction for a pool of such a license, on facts read there: control changes hands only
 * under the lock that this transaction shares, so whoever is in control stays so until its commit. That the row names
 * this server is not enough: a process that was stopped, or its successor of the same name, has not renewed the term.
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
  | { readonly kind: 'keep'; readonly term: number }
  | { readonly kind: 'take'; readonly fromTerm: number }
  | {
      readonly kind: 'wait';
      readonly because: 'not_named' | 'no_quorum' | 'in_control_elsewhere' | 'not_lapsed' | 'preferred_first';
    };

/**
 * What a server does about control now. Control is renewed and taken with a quorum only, so whoever loses the quorum
 * loses control with it, and leases are prolonged when it is taken anew. Nobody takes it back: a preferred server that
 * returns waits like the others.
 */
export function triadStep(facts: TriadFacts, claim: TriadClaim, policy: TriadPolicy): TriadStep {
  const { servers, control } = facts;
  if (!servers.includes(claim.server)) return { kind: 'wait', because: 'not_named' };
  if (quorumOf(facts, policy) !== 'won') return { kind: 'wait', because: 'no_quorum' };
  const inControl = serverInControl(facts, policy);
  if (inControl === claim.server && control.term === claim.term) return { kind: 'keep', term: control.term };
  if (inControl !== undefined && inControl !== claim.server) return { kind: 'wait', because: 'in_control_elsewhere' };
  const vacantMs = vacancyMs(control, policy);
  if (vacantMs < 0) return { kind: 'wait', because: 'not_lapsed' };
  if (vacantMs < preferredBefore(facts, claim.server, policy) * policy.patienceMs) {
    return { kind: 'wait', because: 'preferred_first' };
  }
  return { kind: 'take', fromTerm: control.term };
}

/** For how long nobody has been in control; negative while it may still be somebody's by another clock. */
function vacancyMs({ server, renewedAgoMs }: Control, { controlLeaseMs, skewMs }: TriadPolicy): number {
  return server === undefined ? renewedAgoMs : renewedAgoMs - controlLeaseMs - skewMs;
}

/** Servers that are preferred to this one and not known to be absent. */
function preferredBefore(facts: TriadFacts, server: string, policy: TriadPolicy): number {
  const before = facts.servers.slice(0, facts.servers.indexOf(server));
  return before.filter((other) => viewOf(facts, other, policy) !== 'absent').length;
}

export function claimOn({ server, terms }: TriadClaims, servers: readonly string[]): TriadClaim {
  return { server, term: terms.get(triadName(servers)) };
}

/** One name for the three servers, in their order. */
export function triadName(servers: readonly string[]): string {
  return servers.join(',');
}
