import { createStatementSigner, type StatementSigner } from '../../audit/checkpoint';
import type { CheckpointStore } from '../audit-ports';
import type { ServerEnvironment } from '../environment';
import { CHECKPOINT_POLICY, CheckpointDuty, type CheckpointDutyOptions } from './checkpoints';

type Shared = Omit<CheckpointDutyOptions, 'policy' | 'store' | 'signer'> & {
  readonly checkpointStore: CheckpointStore;
};

/** What a server does about the audit log, which the database itself writes: it signs where the log stands. */
export async function createAuditing(
  { signingKeys, checkpointEveryMs }: Pick<ServerEnvironment, 'signingKeys' | 'checkpointEveryMs'>,
  { checkpointStore: store, ...shared }: Shared,
): Promise<{ signer: StatementSigner; checkpoints: CheckpointDuty }> {
  const signer = await createStatementSigner(signingKeys);
  const policy = { ...CHECKPOINT_POLICY, everyMs: checkpointEveryMs };
  return { signer, checkpoints: new CheckpointDuty({ ...shared, policy, store, signer }) };
}
