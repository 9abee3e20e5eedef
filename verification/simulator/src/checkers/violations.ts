/** The invariants that a run checks, by the name that a violation is reported under. */
export const INVARIANTS = {
  'pool-oversold': 'the seats that installations hold never exceed the pool',
  'lease-lost': 'an acknowledged lease that was not released is honoured until it ends',
  'granted-after-release': 'a region does not grant a lease again after it has recorded its release',
  'two-regions-in-epoch': 'at most one region grants in an epoch',
  'granted-in-superseded-epoch': 'nothing is granted in an epoch after a newer one has opened',
  'failover-of-healthy-region': 'no failover while the application or the database was up and reachable from all sides',
  'failover-against-evidence':
    'no failover while the witness, the follower or the authority store saw the region alive',
  'failover-to-unready-region': 'no failover to a region that cannot take over',
  'failover-before-window': 'no failover before both were down for the whole confirmation window',
  'loss-in-switchover': 'a switchover from a healthy region holds no seats back',
  'undeclared-event-loss': 'lost audit events are declared before a later event of their chain is signed',
  'audit-contradicted': 'no server finds the audit log set back or a signed event replaced',
  'not-converged': 'after all faults have ended every installation is served within a bound',
  'internal-error': 'no part of the product throws an unexpected error',
} as const;

export type InvariantName = keyof typeof INVARIANTS;

export class InvariantViolation extends Error {
  readonly invariant: InvariantName;

  constructor(invariant: InvariantName, detail: string) {
    super(`${invariant}: ${detail}`);
    this.invariant = invariant;
  }
}

/** Keeps the first violation of a run; the run ends with it. */
export class Violations {
  first: InvariantViolation | undefined;
  readonly #onFirst: (violation: InvariantViolation) => void;

  constructor(onFirst: (violation: InvariantViolation) => void) {
    this.#onFirst = onFirst;
  }

  record(invariant: InvariantName, detail: string): void {
    if (this.first) return;
    this.first = new InvariantViolation(invariant, detail);
    this.#onFirst(this.first);
  }
}
