import type { IntegrityChecks } from '../licenses/integrity-checks';
import type { MonotonicClock } from '../platform/clock';
import { AdoptionLogger } from './adoption-logger';
import { Entitlements } from './entitlements';
import { LeaseService, type LeaseServiceOptions } from './lease-service';
import type { EntitlementStore } from './store';
import { Sweeper, type SweeperOptions } from './sweeper';

type GrantingOptions = Omit<LeaseServiceOptions, 'entitlements' | 'onAdopted'> &
  SweeperOptions & {
    readonly entitlements: EntitlementStore;
    readonly integrityChecks: IntegrityChecks;
    readonly server: string;
    readonly clock: MonotonicClock;
  };

export interface Granting {
  readonly leaseService: LeaseService;
  readonly sweeper: Sweeper;
}

/** Composes the lease service and the sweeper. */
export function createGranting(options: GrantingOptions): Granting {
  const adoptions = new AdoptionLogger(options);
  const entitlements = new Entitlements({ ...options, store: options.entitlements });
  return {
    leaseService: new LeaseService({
      ...options,
      entitlements,
      onAdopted: (lease, claim) => adoptions.add(lease, claim),
    }),
    sweeper: new Sweeper(options),
  };
}
