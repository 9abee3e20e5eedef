import {
  createStatementReader,
  createStatementSigner,
  type StatementSigner,
} from '@evergrant/formats/audit/checkpoint';
import type { ServerEnvironment } from '../config/environment';
import type { LeaseTokens } from '../granting/lease-tokens';
import { CHECKPOINT_POLICY, CheckpointWriter, type CheckpointWriterOptions } from './checkpoint-writer';
import { ControllerHistoryImporter } from './controller-history-importer';
import type { AuditLog, CheckpointStore, ControllerHistory } from './store';

type Shared = Omit<CheckpointWriterOptions, 'policy' | 'store' | 'audit' | 'signer' | 'readStatement'> & {
  readonly audit: AuditLog;
  readonly leaseTokens: LeaseTokens;
  readonly checkpointStore: CheckpointStore;
  readonly controllerHistory: ControllerHistory;
};

export interface Auditing {
  readonly signer: StatementSigner;
  readonly checkpoints: CheckpointWriter;
  readonly controllerHistory: ControllerHistoryImporter;
}

/**
 * What a server does about the audit log, which the database itself writes: it signs where the log stands, and brings in
 * what happened outside the database.
 */
export async function createAuditing(
  { signingKeys, checkpointEveryMs: everyMs }: Pick<ServerEnvironment, 'signingKeys' | 'checkpointEveryMs'>,
  { checkpointStore: store, controllerHistory: history, leaseTokens, ...shared }: Shared,
): Promise<Auditing> {
  const signer = await createStatementSigner(signingKeys);
  const readStatement = await createStatementReader(leaseTokens.jwks);
  const policy = { ...CHECKPOINT_POLICY, everyMs };
  return {
    signer,
    checkpoints: new CheckpointWriter({ ...shared, policy, store, signer, readStatement }),
    controllerHistory: new ControllerHistoryImporter({ ...shared, everyMs, history }),
  };
}
