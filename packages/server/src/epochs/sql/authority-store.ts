import { type DatabaseAddress, openPool } from '../../platform/postgres/connection';
import type { ServerAuthorityStore } from '../store';
import { clearUnprotected, recordUnprotected } from './record-unprotected';
import { renewAuthority } from './renew-authority';

/** Connects to an authority store on PostgreSQL. */
export function connectAuthorityStore(address: DatabaseAddress, server: string): ServerAuthorityStore {
  const pool = openPool(address, { applicationName: server, connectionsMax: 1 });
  return {
    renew: (request) => renewAuthority(pool, request),
    recordUnprotected: (epoch) => recordUnprotected(pool, epoch),
    clearUnprotected: (epoch, since) => clearUnprotected(pool, epoch, since),
    close: () => pool.end(),
  };
}
