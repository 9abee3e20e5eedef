import type { ExpectedEpoch, InEpoch } from '@evergrant/server/epochs/store';
import type { StatementContext } from './statements';
import type { ImportedTerms, PendingImportRow, PoolRow } from './tables';

export type Announcement = 'announced' | 'not_needed' | 'unprotected';

/** The part of the product's license store that changes terms in force. */
export interface ImportStore {
  announce(request: PendingImportRow, expected: ExpectedEpoch): Promise<InEpoch<Announcement>>;
  import(request: PendingImportRow, expected: ExpectedEpoch): Promise<InEpoch<'imported' | 'refused'>>;
}

/** `evergrant_widened_terms` */
function isWider(pool: PoolRow, terms: ImportedTerms): boolean {
  return terms.seats > pool.seats || terms.escrow > pool.escrow || terms.leaseTtlMs > pool.leaseTtlMs;
}

/** Like `announceImport` in packages/server/src/licenses/sql/import-license.ts. */
export function announceImport(context: StatementContext, row: PendingImportRow): Announcement {
  const { database, transaction, disabled } = context;
  const { poolId, terms } = row;
  if (disabled.has('announced-import') || !isWider(transaction.pool(poolId), terms)) return 'not_needed';
  if (database.newestEpoch?.unprotected) return 'unprotected';
  const pending = database.tables.pendingImports.get(poolId);
  if (pending === undefined || pending.terms.issue <= terms.issue) transaction.put({ table: 'pending-import', row });
  return 'announced';
}

/** `evergrant_import_license`: an older file is refused, and one with fewer seats than are taken. */
export function importTerms(
  { database, transaction }: StatementContext,
  { poolId, terms }: PendingImportRow,
): 'imported' | 'refused' {
  const pool = transaction.pool(poolId);
  if (terms.issue < pool.issue || pool.seatsTaken > terms.seats + pool.overdraft) return 'refused';
  transaction.putPool({ ...pool, ...terms });
  const pending = database.tables.pendingImports.get(poolId);
  if (pending && pending.terms.issue <= terms.issue) transaction.put({ table: 'pending-import', gone: poolId });
  return 'imported';
}

/** `evergrant_apply_pending_imports` */
export function applyPendingImports(context: StatementContext): void {
  for (const pending of context.database.tables.pendingImports.values()) {
    importTerms(context, pending);
    context.transaction.put({ table: 'pending-import', gone: pending.poolId });
  }
}
