import type { AuditLog } from '@evergrant/server/audit/store';
import type { DisabledRules } from '../mutations';
import { declareSimulatedGap, isPresent, stateOf } from './audit-log';
import type { Connection } from './connection';

export type SimulatedAuditLog = Pick<AuditLog, 'state' | 'missingOf' | 'declareGap'>;

/** The audit log's port, limited to checkpoints and declared gaps. */
export function simulatedAuditLogOn(connection: Connection, disabled: DisabledRules): SimulatedAuditLog {
  return {
    state: () => connection.read(({ database }) => stateOf(database)),
    missingOf: (remembered) =>
      connection.read(({ database: { tables } }) => remembered.filter((event) => !isPresent(event, tables))),
    declareGap: (lost, expected) =>
      connection.inEpoch(expected, ({ database, transaction }) => {
        return disabled.has('audit-gap') ? 'declared' : declareSimulatedGap(lost, database, transaction);
      }),
  };
}
