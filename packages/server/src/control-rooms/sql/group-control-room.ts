import type { Pool } from 'pg';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { inEpoch } from '../../platform/postgres/transaction';
import type { Change } from '../ports';

type GroupVerdict = { readonly kind: 'changed' | 'control_room_not_found' };

export function groupControlRoom(
  database: Pool,
  { controlRoom, group }: { controlRoom: string; group: string | null },
  { actor, reason }: Change,
  expected: ExpectedEpoch,
): Promise<InEpoch<GroupVerdict>> {
  return inEpoch(database, expected, '', async (client) => {
    const changed = await client.query<GroupVerdict>(
      'select verdict as kind from evergrant_group_control_room($1, $2, $3, $4)',
      [controlRoom, group, actor, reason ?? null],
    );
    return changed.rows[0] as GroupVerdict;
  });
}
