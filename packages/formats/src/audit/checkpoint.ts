import { createHash } from 'node:crypto';
import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { CompactSign, type CryptoKey, compactVerify, decodeProtectedHeader, importJWK, type JWK } from 'jose';

const ALGORITHM = 'EdDSA';
const ISSUER = 'evergrant';

/** States that a chain had this event as its newest. Statements are stored away from the chain. */
const HeadClaims = Type.Object({
  iss: Type.Literal(ISSUER),
  chain: Type.String(),
  seq: Type.Integer({ minimum: 1 }),
  hash: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  /** The epoch of the signing server. The event may belong to an earlier epoch. */
  epoch: Type.Integer({ minimum: 0 }),
  /** The era of the database at that time. */
  era: Type.Integer({ minimum: 1 }),
  region: Type.String(),
  server: Type.String(),
  /** The time of the signature, by the license database's clock. */
  at: Type.String(),
});
const CheckpointClaims = Type.Composite([
  HeadClaims,
  Type.Object({
    /** The number of the checkpoint in its chain, from 1. */
    number: Type.Integer({ minimum: 1 }),
    /** SHA-256 of the previous checkpoint's compact text, in base64url; null for the first. */
    previous: Type.Union([Type.String(), Type.Null()]),
  }),
]);

export type HeadClaims = Omit<Static<typeof HeadClaims>, 'iss'>;
export type CheckpointClaims = Omit<Static<typeof CheckpointClaims>, 'iss'>;

/** A statement about a chain's newest event: a numbered checkpoint from the store, or a head signed for an export. */
export type CheckpointStatement =
  | ({ readonly kind: 'checkpoint'; readonly jws: string } & CheckpointClaims)
  | ({ readonly kind: 'head'; readonly jws: string } & HeadClaims);

export type StatementVerdict = CheckpointStatement | { readonly kind: 'forged'; readonly reason: string };

const TYPES = { checkpoint: 'evergrant-checkpoint+jwt', head: 'evergrant-head+jwt' } as const;

export interface StatementSigner {
  signCheckpoint(claims: CheckpointClaims): Promise<string>;
  signHead(claims: HeadClaims): Promise<string>;
}

/** Signs with the first of the Ed25519 private keys; the header names the key by `kid`. */
export async function createStatementSigner(keys: readonly (JWK & { kid: string })[]): Promise<StatementSigner> {
  const [key] = keys;
  if (!key) throw new TypeError('there is no signing key');
  const signingKey = await importJWK(key, ALGORITHM);
  const sign = (typ: string, claims: object): Promise<string> =>
    new CompactSign(Buffer.from(JSON.stringify({ iss: ISSUER, ...claims })))
      .setProtectedHeader({ alg: ALGORITHM, kid: key.kid, typ })
      .sign(signingKey);
  return {
    signCheckpoint: (claims) => sign(TYPES.checkpoint, claims),
    signHead: (claims) => sign(TYPES.head, claims),
  };
}

/** The hash that the next checkpoint of the chain carries as `previous`. */
export function checkpointHash(jws: string): string {
  return createHash('sha256').update(jws).digest('base64url');
}

export type ReadStatement = (jws: string) => Promise<StatementVerdict>;

/** Verifies statements with the Ed25519 keys of a JSON Web Key Set. Keys of other types are ignored. */
export async function createStatementReader(jwks: { readonly keys: readonly JWK[] }): Promise<ReadStatement> {
  const keys = new Map<string, CryptoKey | Uint8Array>();
  for (const key of jwks.keys) {
    if (key.kid !== undefined && key.kty === 'OKP' && key.crv === 'Ed25519') {
      keys.set(key.kid, await importJWK(key, ALGORITHM));
    }
  }
  return async (jws) => {
    try {
      const { kid = '', typ } = decodeProtectedHeader(jws);
      const key = keys.get(kid);
      if (!key)
        return { kind: 'forged', reason: kid ? `it is signed with the unknown key ${kid}` : 'it names no signing key' };
      const { payload } = await compactVerify(jws, key, { algorithms: [ALGORITHM] });
      return statementOf(jws, typ, JSON.parse(Buffer.from(payload).toString('utf8')));
    } catch {
      return { kind: 'forged', reason: 'its signature is invalid' };
    }
  };
}

function statementOf(jws: string, typ: string | undefined, claims: unknown): StatementVerdict {
  if (typ === TYPES.checkpoint && Value.Check(CheckpointClaims, claims)) return { kind: 'checkpoint', jws, ...claims };
  if (typ === TYPES.head && Value.Check(HeadClaims, claims)) return { kind: 'head', jws, ...claims };
  return { kind: 'forged', reason: 'it is signed, but it is not a checkpoint' };
}

/** Whether a statement belongs to an earlier epoch or era than an event. */
export function precedes(
  statement: Pick<CheckpointStatement, 'epoch' | 'era'>,
  event: { epoch: number; era: number },
): boolean {
  return statement.epoch < event.epoch || statement.era < event.era;
}
