import type { Pool } from 'pg';
import { withConnection } from '../../../platform/postgres/connection';
import { inEpoch } from '../../../platform/postgres/transaction';
import type { OfflineExchange, OfflineRegistry } from '../../ports';
import { beginExchange } from './begin-exchange';

const GIVE_UP = `
update offline_exchange set attempt = attempt + 1 where nonce = $1 and attempt = $2 and response is null`;

const ANSWER = `
update offline_exchange set response = $3, responded_by = $4, lent_until = to_timestamp($5::float8 / 1000)
where nonce = $1 and attempt = $2 and response is null`;

const STANDING_RESPONSE = 'select response from offline_exchange where nonce = $1';

/** Until what it took has ended, its silence is as it should be. */
const EXCUSE_SILENCE = `
update control_room r set silent_since = greatest(r.silent_since, e.lent_until)
from offline_exchange e where e.nonce = $1 and r.id = e.control_room`;

const FIND = `
select e.control_room as "controlRoom", r.license_id as "licenseId", e.response, e.receipt
from offline_exchange e join control_room r on r.id = e.control_room
where e.nonce = $1 and e.response is not null`;

const CLOSE = `
update offline_exchange set receipt = $2, returned_by = $3
where nonce = $1 and response is not null and receipt is null`;

const STANDING_RECEIPT = 'select receipt from offline_exchange where nonce = $1';

/** From now on its silence counts again, unless it has taken something else. */
const COUNT_SILENCE = `
update control_room r set last_heartbeat_at = clock_timestamp(), silent_since = greatest(clock_timestamp(), (
  select max(lent_until) from offline_exchange where control_room = r.id and receipt is null and response is not null))
from offline_exchange e where e.nonce = $1 and r.id = e.control_room`;

/** What was lent by files, on PostgreSQL. Each change is one short transaction of an epoch. */
export function offlineRegistryOn(pool: Pool): OfflineRegistry {
  return {
    begin: (order, change, expected) => beginExchange(pool, order, change, expected),

    giveUp: ({ nonce, attempt }, expected) =>
      inEpoch(pool, expected, '', async (client) => (await client.query(GIVE_UP, [nonce, attempt])).rowCount === 1),

    answer: ({ nonce, attempt, response, lentUntilMs }, { actor }, expected) =>
      inEpoch(pool, expected, '', async (client) => {
        const answered = await client.query(ANSWER, [nonce, attempt, response, actor, lentUntilMs]);
        if (answered.rowCount === 1) await client.query(EXCUSE_SILENCE, [nonce]);
        const standing = await client.query<{ response: string | null }>(STANDING_RESPONSE, [nonce]);
        return standing.rows[0]?.response ?? undefined;
      }),

    find: async (nonce) => {
      const found = await withConnection(pool, (client) =>
        client.query<Omit<OfflineExchange, 'receipt'> & { receipt: string | null }>(FIND, [nonce]),
      );
      const [row] = found.rows;
      return row && { ...row, receipt: row.receipt ?? undefined };
    },

    close: ({ nonce, receipt }, { actor }, expected) =>
      inEpoch(pool, expected, '', async (client) => {
        const closed = await client.query(CLOSE, [nonce, receipt, actor]);
        if (closed.rowCount === 1) await client.query(COUNT_SILENCE, [nonce]);
        const standing = await client.query<{ receipt: string }>(STANDING_RECEIPT, [nonce]);
        return standing.rows[0]?.receipt ?? receipt;
      }),
  };
}
