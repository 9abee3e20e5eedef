import { AWS_REGION_OF } from '@evergrant/controller/aws/resource-names';
import type { Region } from '@evergrant/core/regions';
import { type App, Tags, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import type { DeploymentConfig } from '../config/deployment-config';
import { deploymentTags } from '../database/follower-settings';
import { AuthorityStack } from './authority-stack';
import { OregonStack } from './oregon-stack';
import { PeeringAccepterStack, PeeringRequesterStack } from './peering-stacks';
import { VirginiaStack } from './virginia-stack';

/** Names of the stacks, in the order in which a new deployment creates them. */
export const STACKS = {
  authority: 'Evergrant-Authority',
  oregon: 'Evergrant-Oregon',
  virginia: 'Evergrant-Virginia',
  virginiaInterconnect: 'Evergrant-Virginia-Interconnect',
  oregonInterconnect: 'Evergrant-Oregon-Interconnect',
} as const;

/**
 * Adds all stacks of a deployment. The dependencies only give the order of the first deploy, because the toolkit deploys
 * independent stacks concurrently. No stack references another stack, so `--exclusively` deploys each one alone.
 */
export function addDeployment(app: App, config: DeploymentConfig): void {
  const props = (region: Region) => ({
    config,
    env: { account: config.account, region: AWS_REGION_OF[region] },
    terminationProtection: true,
  });
  const authority = new AuthorityStack(app, STACKS.authority, props('virginia'));
  const oregon = new OregonStack(app, STACKS.oregon, props('oregon'));
  const virginia = new VirginiaStack(app, STACKS.virginia, props('virginia'));
  const peeringRequester = new PeeringRequesterStack(app, STACKS.virginiaInterconnect, props('virginia'));
  const peeringAccepter = new PeeringAccepterStack(app, STACKS.oregonInterconnect, props('oregon'));
  oregon.addStackDependency(authority);
  virginia.addStackDependency(oregon);
  peeringRequester.addStackDependency(virginia);
  peeringAccepter.addStackDependency(peeringRequester);
  for (const [key, value] of Object.entries(deploymentTags(config))) Tags.of(app).add(key, value);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
}
