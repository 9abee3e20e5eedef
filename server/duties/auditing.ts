import { createStatementSigner, type StatementSigner } from '../../audit/checkpoint';
import type { CheckpointStore, ControllerHistory } from '../audit-ports';
import type { ServerEnvironment } from '../environment';
import { CHECKPOINT_POLICY, CheckpointDuty, type CheckpointDutyOptions } from './checkpoints';
import { ControllerHistoryDuty } from './controller-history';

type Shared = Omit<CheckpointDutyOptions, 'policy' | 'store' | 'signer'> & {
  readonly checkpointStore: CheckpointStore;
  readonly controllerHistory: ControllerHistory;
};

export interface Auditing {
  readonly signer: StatementSigner;
  readonly checkpoints: CheckpointDuty;
  readonly controllerHistory: ControllerHistoryDuty;
}

/**
 * What a server does about the audit log, which the database itself writes: it signs where the log stands, and brings in
 * what happened outside the database.
 */
export async function createAuditing(
  { signingKeys, checkpointEveryMs: everyMs }: Pick<ServerEnvironment, 'signingKeys' | 'checkpointEveryMs'>,
  { checkpointStore: store, controllerHistory: history, ...shared }: Shared,
): Promise<Auditing> {
  const signer = await createStatementSigner(signingKeys);
  const policy = { ...CHECKPOINT_POLICY, everyMs };
  return {
    signer,
    checkpoints: new CheckpointDuty({ ...shared, policy, store, signer }),
    controllerHistory: new ControllerHistoryDuty({ ...shared, everyMs, history }),
  };
}
