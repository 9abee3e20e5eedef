import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Route53Client } from '@aws-sdk/client-route-53';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { WAFV2Client } from '@aws-sdk/client-wafv2';
import { sdkSettings } from '@evergrant/controller/aws/sdk';
import type { SetupClients } from './custom-resource';

/** Clients in the region of the stack. Route 53 is a global service with its endpoint in us-east-1. */
export function connectClients(awsRegion: string): SetupClients {
  return {
    dynamo: new DynamoDBClient(sdkSettings(awsRegion)),
    waf: new WAFV2Client(sdkSettings(awsRegion)),
    secrets: new SecretsManagerClient(sdkSettings(awsRegion)),
    route53: new Route53Client(sdkSettings('us-east-1')),
  };
}
