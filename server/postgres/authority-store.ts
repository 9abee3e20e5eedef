import type { AuthorityStore } from '../ports';
import { type DatabaseAddress, openPool } from './connection';
import { renewAuthority } from './renew-authority';

/** The authority store on PostgreSQL, as a port. */
export function connectAuthorityStore(address: DatabaseAddress, server: string): AuthorityStore {
  const pool = openPool(address, { applicationName: server, connectionsMax: 1 });
  return {
    renew: (request) => renewAuthority(pool, request),
    close: () => pool.end(),
  };
}
