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

export interface AuditServices {
  readonly signer: StatementSigner;
  readonly checkpointWriter: CheckpointWriter;
  readonly controllerHistoryImporter: ControllerHistoryImporter;
}

/**
 * The database writes the audit log itself. A server signs checkpoints of it and imports the failover controller's
 * history, which happens outside of the database.
 */
export async function createAuditing(
  { signingKeys, checkpointEveryMs: everyMs }: Pick<ServerEnvironment, 'signingKeys' | 'checkpointEveryMs'>,
  { checkpointStore: store, controllerHistory: history, leaseTokens, ...shared }: Shared,
): Promise<AuditServices> {
  const signer = await createStatementSigner(signingKeys);
  const readStatement = await createStatementReader(leaseTokens.jwks);
  const policy = { ...CHECKPOINT_POLICY, everyMs };
  return {
    signer,
    checkpointWriter: new CheckpointWriter({ ...shared, policy, store, signer, readStatement }),
    controllerHistoryImporter: new ControllerHistoryImporter({ ...shared, everyMs, history }),
  };
}
