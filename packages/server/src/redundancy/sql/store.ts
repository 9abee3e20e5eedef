import type { Pool } from 'pg';
import type { TriadStore } from '../ports';
import { beat, keepControl, leaveTriads, takeControl } from './control';
import { readTriads } from './read-triads';

/** Triads on PostgreSQL, as a port. */
export function triadsOn(watching: Pool, opening: Pool): TriadStore {
  return {
    read: () => readTriads(watching),
    beat: (me) => beat(watching, me),
    keep: (servers, held) => keepControl(watching, servers, held),
    take: (taking) => takeControl(opening, taking),
    leave: (claims) => leaveTriads(watching, claims),
  };
}
