import { AWS_REGION_OF } from '@evergrant/controller/aws/resource-names';
import type { Region } from '@evergrant/core/regions';
import { type App, Tags, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import type { DeploymentConfig } from '../config/deployment-config';
import { deploymentTags } from '../database/follower-settings';
import { AuthorityStack } from './authority-stack';
import { OregonStack } from './oregon-stack';
import { OregonInterconnectStack, VirginiaInterconnectStack } from './peering-stacks';
import { VirginiaStack } from './virginia-stack';

/** The stacks by their names, in the order in which a new deployment makes them. */
export const STACKS = {
  authority: 'Evergrant-Authority',
  oregon: 'Evergrant-Oregon',
  virginia: 'Evergrant-Virginia',
  virginiaInterconnect: 'Evergrant-Virginia-Interconnect',
  oregonInterconnect: 'Evergrant-Oregon-Interconnect',
} as const;

/**
 * All stacks of a deployment, in the order in which the first deploy needs them: the toolkit starts whatever waits for
 * nothing as soon as its assets are there. It is an order and nothing more: no stack refers to another one, and with
 * `--exclusively` each deploys alone.
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
  const virginiaEnd = new VirginiaInterconnectStack(app, STACKS.virginiaInterconnect, props('virginia'));
  const oregonEnd = new OregonInterconnectStack(app, STACKS.oregonInterconnect, props('oregon'));
  oregon.addStackDependency(authority);
  virginia.addStackDependency(oregon);
  virginiaEnd.addStackDependency(virginia);
  oregonEnd.addStackDependency(virginiaEnd);
  for (const [key, value] of Object.entries(deploymentTags(config))) Tags.of(app).add(key, value);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
}
