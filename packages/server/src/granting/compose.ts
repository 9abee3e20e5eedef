import type { IntegrityChecks } from '../licenses/integrity-checks';
import type { MonotonicClock } from '../platform/clock';
import { AdoptionLogger } from './adoption-logger';
import { Entitlements } from './entitlements';
import { LeaseEndings } from './lease-endings';
import { LeaseService, type LeaseServiceOptions } from './lease-service';
import type { EndingStore, EntitlementStore } from './store';
import { Sweeper, type SweeperOptions } from './sweeper';

type GrantingOptions = Omit<LeaseServiceOptions, 'entitlements' | 'onAdopted' | 'endings'> &
  SweeperOptions & {
    readonly entitlements: EntitlementStore;
    readonly endings: EndingStore;
    readonly integrityChecks: IntegrityChecks;
    readonly server: string;
    readonly clock: MonotonicClock;
  };

export interface Granting {
  readonly leaseService: LeaseService;
  readonly sweeper: Sweeper;
  readonly endings: LeaseEndings;
}

/** Composes the lease service and the sweeper. */
export function createGranting(options: GrantingOptions): Granting {
  const adoptions = new AdoptionLogger(options);
  const entitlements = new Entitlements({ ...options, store: options.entitlements });
  const endings = new LeaseEndings({ ...options, store: options.endings });
  return {
    endings,
    leaseService: new LeaseService({
      ...options,
      entitlements,
      endings,
      onAdopted: (lease, claim) => adoptions.add(lease, claim),
    }),
    sweeper: new Sweeper(options),
  };
}
