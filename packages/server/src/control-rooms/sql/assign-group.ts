import type { Pool } from 'pg';
import type { Attribution } from '../../audit/attribution';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { inEpoch } from '../../platform/postgres/transaction';
import type { GroupAssignment, GroupAssignmentVerdict } from '../store';

export function assignGroup(
  database: Pool,
  { controlRoom, group }: GroupAssignment,
  { actor, reason }: Attribution,
  expected: ExpectedEpoch,
): Promise<InEpoch<GroupAssignmentVerdict>> {
  return inEpoch(database, expected, '', async (client) => {
    const changed = await client.query<GroupAssignmentVerdict>(
      'select verdict as kind from evergrant_group_control_room($1, $2, $3, $4)',
      [controlRoom, group, actor, reason ?? null],
    );
    return changed.rows[0] as GroupAssignmentVerdict;
  });
}
