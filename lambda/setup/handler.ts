/**
 * Custom resources that seed a stack once. The controller changes these values at run time, so they are not template
 * properties, which CloudFormation would rewrite. Every seed writes only if there is no value yet.
 */
import { answerCloudFormation, type CloudFormationEvent } from './answer';
import { seedAssociation } from './association';
import { seedAuthority } from './authority';
import { connectClients } from './clients';
import type { CustomResourceHandler } from './custom-resource';
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
    const clients = connectClients(awsRegion);
    const seed = () => work(event.ResourceProperties, clients);
    const data = event.RequestType === 'Delete' ? {} : await withRetry(seed);
    await answerCloudFormation(event, { status: 'SUCCESS', physicalId, data });
  } catch (failure) {
    const reason = failure instanceof Error ? failure.message : String(failure);
    await answerCloudFormation(event, { status: 'FAILED', physicalId, reason });
  }
}
