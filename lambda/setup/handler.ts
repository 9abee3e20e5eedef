/**
 * What is done once, when a stack is made, and never again: the values that the controller changes at run time are
 * seeded here, where CloudFormation neither sees nor rewrites them. Every seed is "if there is none".
 */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Route53Client } from '@aws-sdk/client-route-53';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { WAFV2Client } from '@aws-sdk/client-wafv2';
import { sdkSettings } from '@evergrant/controller/aws/sdk';
import { answerCloudFormation, type CloudFormationEvent } from './answer';
import { seedAssociation } from './association';
import { seedAuthority } from './authority';
import type { SetupClients, SetupWork } from './custom-resource';
import { seedPublicRecord } from './public-record';
import { introduce, lookUp } from './publish-region-resources';
import { patiently } from './retry';
import { seedSigningKeys } from './signing-keys';

const WORK: Readonly<Record<string, SetupWork>> = {
  authority: seedAuthority,
  introduction: introduce,
  lookup: lookUp,
  association: seedAssociation,
  'public-record': seedPublicRecord,
  'signing-keys': seedSigningKeys,
};

export async function handler(event: CloudFormationEvent): Promise<void> {
  const { kind = '', awsRegion = '' } = event.ResourceProperties;
  const physicalId = event.PhysicalResourceId ?? `evergrant-${kind}-${event.LogicalResourceId}`;
  try {
    const work = WORK[kind];
    if (work === undefined) throw new Error(`there is no setup "${kind}"`);
    // What was seeded lives on: another stack's deletion is no reason to take authority, fence or record away.
    const clients = clientsIn(awsRegion);
    const seed = () => work(event.ResourceProperties, clients);
    const data = event.RequestType === 'Delete' ? {} : await patiently(seed);
    await answerCloudFormation(event, { status: 'SUCCESS', physicalId, data });
  } catch (failure) {
    const reason = failure instanceof Error ? failure.message : String(failure);
    await answerCloudFormation(event, { status: 'FAILED', physicalId, reason });
  }
}

function clientsIn(awsRegion: string): SetupClients {
  return {
    dynamo: new DynamoDBClient(sdkSettings(awsRegion)),
    waf: new WAFV2Client(sdkSettings(awsRegion)),
    secrets: new SecretsManagerClient(sdkSettings(awsRegion)),
    route53: new Route53Client(sdkSettings('us-east-1')),
  };
}
