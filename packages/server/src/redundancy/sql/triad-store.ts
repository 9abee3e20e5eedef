import type { Pool } from 'pg';
import type { TriadStore } from '../store';
import { acquireControl, recordHeartbeat, renewControl, resignControl } from './control';
import { readTriads } from './read-triads';

/** @param surveying connections whose statements may take longer than a grant */
export function triadStoreOn({ watching, surveying }: { watching: Pool; surveying: Pool }): TriadStore {
  return {
    read: () => readTriads(watching),
    heartbeat: (server) => recordHeartbeat(watching, server),
    renew: (servers, held) => renewControl(watching, servers, held),
    acquire: (acquisition) => acquireControl(surveying, acquisition),
    resign: (claims) => resignControl(watching, claims),
  };
}
