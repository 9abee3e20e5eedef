import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Route53Client } from '@aws-sdk/client-route-53';
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { WAFV2Client } from '@aws-sdk/client-wafv2';

export interface SetupClients {
  readonly dynamo: DynamoDBClient;
  readonly waf: WAFV2Client;
  readonly secrets: SecretsManagerClient;
  readonly route53: Route53Client;
}

export type Properties = Readonly<Record<string, string | undefined>>;

/** Handles one kind of custom resource. The template can refer to the returned values. Idempotent. */
export type CustomResourceHandler = (
  properties: Properties,
  clients: SetupClients,
) => Promise<Readonly<Record<string, string>>>;

/** @throws Error that names the property */
export function property(properties: Properties, name: string): string {
  const value = properties[name];
  if (value === undefined || value === '') throw new Error(`the setup needs the property ${name}`);
  return value;
}
