/**
 * Custom resources that seed a stack once. The controller changes these values at run time, so they are not template
 * properties, which CloudFormation would rewrite. Every seed writes only if there is no value yet.
 */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Route53Client } from '@aws-sdk/client-route-53';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { WAFV2Client } from '@aws-sdk/client-wafv2';
import { sdkSettings } from '@evergrant/controller/aws/sdk';
import { answerCloudFormation, type CloudFormationEvent } from './answer';
import { seedAssociation } from './association';
import { seedAuthority } from './authority';
import type { CustomResourceHandler, SetupClients } from './custom-resource';
import { seedPublicRecord } from './public-record';
import { publishRegionResources, readRegionResources } from './publish-region-resources';
import { withRetry } from './retry';
import { seedSigningKeys } from './signing-keys';

const WORK: Readonly<Record<string, CustomResourceHandler>> = {
  authority: seedAuthority,
  introduction: publishRegionResources,
  lookup: readRegionResources,
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
    // A deletion keeps the seeded values: authority, fence and public record outlive a stack.
    const clients = clientsIn(awsRegion);
    const seed = () => work(event.ResourceProperties, clients);
    const data = event.RequestType === 'Delete' ? {} : await withRetry(seed);
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
