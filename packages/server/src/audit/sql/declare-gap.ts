import type { Pool } from 'pg';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { withConnection } from '../../platform/postgres/connection';
import { inEpoch } from '../../platform/postgres/transaction';
import type { GapVerdict, RememberedEvent } from '../store';

const MISSING_OF = `
select number::int as number
from unnest($1::text[], $2::bigint[], $3::text[]) with ordinality as remembered (chain, seq, hash, number)
left join audit_event present on present.chain = remembered.chain and present.seq = remembered.seq
where encode(present.hash, 'hex') is distinct from remembered.hash
order by number`;

/** Returns the remembered events that are missing or different in the log. */
export async function missingOf(database: Pool, remembered: readonly RememberedEvent[]): Promise<RememberedEvent[]> {
  const values = [
    remembered.map(({ chain }) => chain),
    remembered.map(({ seq }) => seq),
    remembered.map(({ hash }) => hash),
  ];
  const { rows } = await withConnection(database, (client) => client.query<{ number: number }>(MISSING_OF, values));
  return rows.flatMap(({ number }) => remembered[number - 1] ?? []);
}

/** Declares in the log that an event is lost, if it is. Runs in the expected epoch, so a closed epoch gets no event. */
export async function declareGap(
  database: Pool,
  { chain, epoch, era, seq, hash, jws }: RememberedEvent,
  expected: ExpectedEpoch,
): Promise<InEpoch<GapVerdict>> {
  return inEpoch(database, expected, '', async (client) => {
    const { rows } = await client.query<{ verdict: GapVerdict }>(
      'select evergrant_audit_gap($1, $2, $3, $4, $5, $6) as verdict',
      [chain, epoch, era, seq, hash, jws],
    );
    const [row] = rows;
    if (!row) throw new TypeError('evergrant_audit_gap returned no verdict');
    return row.verdict;
  });
}
