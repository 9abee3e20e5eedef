import type { IntegrityChecks } from '../licenses/integrity-checks';
import type { MonotonicClock } from '../platform/clock';
import { AdoptionReport } from './adoption-logger';
import { Entitlements } from './entitlements';
import { LeaseDesk, type LeaseDeskOptions } from './lease-service';
import type { EntitlementStore } from './store';
import { Sweeper, type SweeperOptions } from './sweeper';

type GrantingOptions = Omit<LeaseDeskOptions, 'entitlements' | 'onAdopted'> &
  SweeperOptions & {
    readonly entitlements: EntitlementStore;
    readonly integrityChecks: IntegrityChecks;
    readonly server: string;
    readonly clock: MonotonicClock;
  };

export interface Granting {
  readonly desk: LeaseDesk;
  readonly sweeper: Sweeper;
}

/** Wires what checks leases out and ends them. */
export function createGranting(options: GrantingOptions): Granting {
  const adoptions = new AdoptionReport(options);
  const entitlements = new Entitlements({ ...options, store: options.entitlements });
  return {
    desk: new LeaseDesk({ ...options, entitlements, onAdopted: (lease, claim) => adoptions.add(lease, claim) }),
    sweeper: new Sweeper(options),
  };
}
