import type { Pool, PoolClient } from 'pg';
import type { ExpectedEpoch, InEpoch } from '../../../epochs/store';
import { inEpoch } from '../../../platform/postgres/transaction';
import type { Change, OfflineBeginning, OfflineOrder } from '../../ports';

const ENTER_ROOM = 'select verdict from evergrant_enter_offline_room($1, $2, $3)';

const BEGIN_EXCHANGE = `
insert into offline_exchange (nonce, control_room, request_sha256) values ($1, $2, decode($3, 'hex'))
on conflict (nonce) do nothing`;

/** What stands there, whoever began it. Bringing a request is a sign of life: silence is held against nobody here. */
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
  readonly state: Extract<OfflineBeginning, { kind: 'begun' }>['state'];
  readonly same: boolean;
}

/** Enters a request once, however often it is brought. */
export function beginExchange(
  database: Pool,
  order: OfflineOrder,
  { actor }: Change,
  expected: ExpectedEpoch,
): Promise<InEpoch<OfflineBeginning>> {
  return inEpoch(database, expected, '', async (client) => {
    const { controlRoom, name, nonce, requestSha256 } = order;
    const entered = await client.query<{ verdict: string }>(ENTER_ROOM, [controlRoom, name, actor]);
    const verdict = entered.rows[0]?.verdict;
    if (verdict !== 'known' && verdict !== 'license_not_valid') return { kind: verdict } as OfflineBeginning;
    const found = await find(client, [nonce, controlRoom, requestSha256], { begin: verdict === 'known' });
    if (!found) return { kind: 'license_not_valid' };
    if (!found.same) return { kind: 'offline_nonce_reused' };
    const { attempt, response, licenseId, product, state } = found;
    if (response !== null) return { kind: 'answered', response };
    return verdict === 'known' ? { kind: 'begun', attempt, licenseId, product, state } : { kind: verdict };
  });
}

async function find(
  client: PoolClient,
  values: readonly string[],
  { begin }: { begin: boolean },
): Promise<ExchangeRow | undefined> {
  if (begin) await client.query(BEGIN_EXCHANGE, [...values]);
  return (await client.query<ExchangeRow>(FIND_EXCHANGE, [...values])).rows[0];
}
