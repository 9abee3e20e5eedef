import { AcknowledgementGate } from '@evergrant/server/epochs/acknowledgement-gate';
import type { EpochTransactions } from '@evergrant/server/epochs/epoch-transactions';
import type { ReplicationTracker } from '@evergrant/server/epochs/replication-tracker';
import type { ImportStore } from '../database/imports';
import type { PendingImportRow } from '../database/tables';
import type { HttpAnswer } from './http';

interface TermImportsOptions {
  readonly store: ImportStore;
  readonly transactions: EpochTransactions;
  readonly replicationTracker: ReplicationTracker;
}

/**
 * Imports in the two steps of packages/server/src/licenses/import-service.ts, through the product's gate. The license file
 * and its signature are not simulated.
 */
export class TermImports {
  readonly #options: TermImportsOptions;
  readonly #gate: AcknowledgementGate;

  constructor(options: TermImportsOptions) {
    this.#options = options;
    this.#gate = new AcknowledgementGate(options);
  }

  async import(request: PendingImportRow): Promise<HttpAnswer> {
    const { store, transactions } = this.#options;
    const refusal = transactions.precheck();
    if (refusal) return refused(refusal.kind);
    const announced = await transactions.execute('import', 1, (expected) => store.announce(request, expected));
    if (announced.kind !== 'done') return refused(announced.kind);
    if (announced.result === 'unprotected') return refused('not_protected');
    if (announced.result === 'announced') {
      const confirmed = await this.#gate.acknowledge(announced, undefined, { kind: 'replicated' });
      if (confirmed.kind !== 'acknowledged') return refused(confirmed.kind);
    }
    const imported = await transactions.execute('import', 1, (expected) => store.import(request, expected));
    if (imported.kind !== 'done') return refused(imported.kind);
    const acknowledged = await this.#gate.acknowledge(imported, undefined, { kind: 'restriction' });
    if (acknowledged.kind !== 'acknowledged') return refused(acknowledged.kind);
    return { status: imported.result === 'imported' ? 201 : 409, body: {} };
  }
}

function refused(code: string): HttpAnswer {
  return { status: 503, body: { code } };
}
