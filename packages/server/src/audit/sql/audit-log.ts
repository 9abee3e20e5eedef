import type { Pool } from 'pg';
import type { AuditLog } from '../store';
import { addControllerEntries, newestControllerEntry } from './controller-entries';
import { declareGap, missingOf } from './declare-gap';
import { readBounds, readLogState, readSection } from './read-log';
import { readDenials, readHolders, readUsage } from './read-reports';

/** @param pool separate connections, so that reading the log never delays a grant */
export function auditLogOn(pool: Pool): AuditLog {
  return {
    state: () => readLogState(pool),
    bounds: (time) => readBounds(pool, time),
    readSection: (section) => readSection(pool, section),
    missingOf: (remembered) => missingOf(pool, remembered),
    declareGap: (lost, expected) => declareGap(pool, lost, expected),
    newestControllerEntry: () => newestControllerEntry(pool),
    addControllerEntries: (entries, expected) => addControllerEntries(pool, entries, expected),
    usage: (range) => readUsage(pool, range),
    denials: (range) => readDenials(pool, range),
    holders: (filter) => readHolders(pool, filter),
  };
}
