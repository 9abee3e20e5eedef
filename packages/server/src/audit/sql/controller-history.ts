import { type DatabaseAddress, openPool, withConnection } from '../../platform/postgres/connection';
import type { ControllerEntry, ControllerHistory } from '../store';

const AFTER = `
select id, extract(epoch from at)::float8 * 1000 as "atMs", kind, detail from history where id > $1 order by id limit $2`;

/** The controller history in the PostgreSQL authority store (packages/local-cluster/src/adapters/authority-store.sql). */
export function connectControllerHistory(address: DatabaseAddress, server: string): ControllerHistory {
  const pool = openPool(address, { applicationName: `${server} history`, connectionsMax: 1 });
  return {
    // Ids are assigned under the lock of the control record, so entries become visible in the order of their ids.
    after: async (id, limit) => {
      const { rows } = await withConnection(pool, (client) => client.query<ControllerEntry>(AFTER, [id, limit]));
      return rows;
    },
    close: () => pool.end(),
  };
}
