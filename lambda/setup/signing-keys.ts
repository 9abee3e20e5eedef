import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { GetSecretValueCommand, PutSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { type CustomResourceHandler, property } from './custom-resource';

/** Adds the Ed25519 key that signs lease tokens to the servers' secret, if it has none. It never leaves the secret. */
export const seedSigningKeys: CustomResourceHandler = async (properties, { secrets }) => {
  const secretId = property(properties, 'secretId');
  const { SecretString: present } = await secrets.send(new GetSecretValueCommand({ SecretId: secretId }));
  const values = JSON.parse(present ?? '{}') as Record<string, unknown>;
  if (values.signingKeys !== undefined) return {};
  const { privateKey } = generateKeyPairSync('ed25519');
  const key = { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: 'EdDSA', use: 'sig' };
  const withKeys = JSON.stringify({ ...values, signingKeys: { keys: [key] } });
  await secrets.send(new PutSecretValueCommand({ SecretId: secretId, SecretString: withKeys }));
  return {};
};
