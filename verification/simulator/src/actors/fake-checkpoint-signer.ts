import type { ReadStatement, StatementSigner } from '@evergrant/formats/audit/checkpoint';

/** Checkpoint statements without cryptography: the statement is its claims as JSON. */
export const SIGNER: Pick<StatementSigner, 'signCheckpoint'> = {
  signCheckpoint: async (claims) => JSON.stringify(claims),
};

export function statementOf(jws: string) {
  return { kind: 'checkpoint' as const, jws, ...(JSON.parse(jws) as Parameters<StatementSigner['signCheckpoint']>[0]) };
}

export const READ_STATEMENT: ReadStatement = async (jws) => statementOf(jws);
