import type { Pool, PoolClient } from 'pg';
import type { Attribution } from '../../audit/attribution';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { inEpoch } from '../../platform/postgres/transaction';
import type { ExchangeRequest, ExchangeStart, StartedExchange } from '../store';

const ENTER_ROOM = 'select verdict from evergrant_enter_offline_room($1, $2, $3)';

const INSERT_EXCHANGE = `
insert into offline_exchange (nonce, control_room, request_sha256) values ($1, $2, decode($3, 'hex'))
on conflict (nonce) do nothing`;

/** Submitting a request counts as a heartbeat, so a Control Room that is only silent counts as active here. */
const FIND_EXCHANGE = `
select e.attempt, e.response, r.license_id as "licenseId", l.product,
  case r.state_because when 'no_heartbeat' then 'active' else r.state end as state,
  e.control_room = $2 and e.request_sha256 = decode($3, 'hex') as same
from offline_exchange e join control_room r on r.id = $2 join license l on l.id = r.license_id
where e.nonce = $1 for share of e`;

interface ExchangeRow {
  readonly attempt: number;
  readonly response: string | null;
  readonly licenseId: string;
  readonly product: string;
  readonly state: StartedExchange['state'];
  readonly same: boolean;
}

/** Records a request; a repeated request finds the exchange that is recorded already. */
export function startExchange(
  database: Pool,
  request: ExchangeRequest,
  { actor }: Attribution,
  expected: ExpectedEpoch,
): Promise<InEpoch<ExchangeStart>> {
  return inEpoch(database, expected, '', async (client) => {
    const { controlRoom, name, nonce, requestSha256 } = request;
    const entered = await client.query<{ verdict: string }>(ENTER_ROOM, [controlRoom, name, actor]);
    const verdict = entered.rows[0]?.verdict;
    if (verdict !== 'known' && verdict !== 'license_not_valid') return { kind: verdict } as ExchangeStart;
    const found = await findExchange(client, [nonce, controlRoom, requestSha256], { insert: verdict === 'known' });
    if (!found) return { kind: 'license_not_valid' };
    if (!found.same) return { kind: 'offline_nonce_reused' };
    const { attempt, response, licenseId, product, state } = found;
    if (response !== null) return { kind: 'answered', response };
    return verdict === 'known' ? { kind: 'started', attempt, licenseId, product, state } : { kind: verdict };
  });
}

async function findExchange(
  client: PoolClient,
  values: readonly string[],
  { insert }: { insert: boolean },
): Promise<ExchangeRow | undefined> {
  if (insert) await client.query(INSERT_EXCHANGE, [...values]);
  return (await client.query<ExchangeRow>(FIND_EXCHANGE, [...values])).rows[0];
}
