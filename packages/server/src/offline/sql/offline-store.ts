import type { Pool } from 'pg';
import { withConnection } from '../../platform/postgres/connection';
import { inEpoch } from '../../platform/postgres/transaction';
import type { AnsweredExchange, OfflineStore } from '../store';
import { startExchange } from './start-exchange';

const ABANDON = `
update offline_exchange set attempt = attempt + 1 where nonce = $1 and attempt = $2 and response is null`;

const ANSWER = `
update offline_exchange set response = $3, responded_by = $4, lent_until = to_timestamp($5::float8 / 1000)
where nonce = $1 and attempt = $2 and response is null`;

const READ_RESPONSE = 'select response from offline_exchange where nonce = $1';

/** The Control Room is expected to be silent until the lent seats expire. */
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

const READ_RECEIPT = 'select receipt from offline_exchange where nonce = $1';

/** The silence of the Control Room counts again from now, or from the end of its other loans. */
const COUNT_SILENCE = `
update control_room r set last_heartbeat_at = clock_timestamp(), silent_since = greatest(clock_timestamp(), (
  select max(lent_until) from offline_exchange where control_room = r.id and receipt is null and response is not null))
from offline_exchange e where e.nonce = $1 and r.id = e.control_room`;

/** Each change is one short transaction in the expected epoch. */
export function offlineStoreOn(pool: Pool): OfflineStore {
  return {
    start: (request, attribution, expected) => startExchange(pool, request, attribution, expected),

    abandon: ({ nonce, attempt }, expected) =>
      inEpoch(pool, expected, '', async (client) => (await client.query(ABANDON, [nonce, attempt])).rowCount === 1),

    answer: ({ nonce, attempt, response, lentUntilMs }, { actor }, expected) =>
      inEpoch(pool, expected, '', async (client) => {
        const answered = await client.query(ANSWER, [nonce, attempt, response, actor, lentUntilMs]);
        if (answered.rowCount === 1) await client.query(EXCUSE_SILENCE, [nonce]);
        const stored = await client.query<{ response: string | null }>(READ_RESPONSE, [nonce]);
        return stored.rows[0]?.response ?? undefined;
      }),

    find: async (nonce) => {
      const found = await withConnection(pool, (client) =>
        client.query<Omit<AnsweredExchange, 'receipt'> & { receipt: string | null }>(FIND, [nonce]),
      );
      const [row] = found.rows;
      return row && { ...row, receipt: row.receipt ?? undefined };
    },

    close: ({ nonce, receipt }, { actor }, expected) =>
      inEpoch(pool, expected, '', async (client) => {
        const closed = await client.query(CLOSE, [nonce, receipt, actor]);
        if (closed.rowCount === 1) await client.query(COUNT_SILENCE, [nonce]);
        const stored = await client.query<{ receipt: string }>(READ_RECEIPT, [nonce]);
        return stored.rows[0]?.receipt ?? receipt;
      }),
  };
}
