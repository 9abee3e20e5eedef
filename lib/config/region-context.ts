import {
  AWS_REGION_OF,
  type DeploymentNames,
  deploymentNames,
  regionalName,
} from '@evergrant/controller/aws/resource-names';
import { otherRegion, PRIMARY_REGION, type Region } from '@evergrant/core/regions';
import type { DeploymentConfig } from './deployment-config';

/** What every room of a region is told: the configuration, and which region this is. */
export interface RegionContext {
  readonly config: DeploymentConfig;
  readonly names: DeploymentNames;
  readonly region: Region;
  readonly other: Region;
  readonly awsRegion: string;
  readonly isPrimary: boolean;
  /** The address of this region, whichever is active. */
  readonly regionalName: string;
}

export function regionContext(config: DeploymentConfig, region: Region): RegionContext {
  return {
    config,
    names: deploymentNames(config.deployment),
    region,
    other: otherRegion(region),
    awsRegion: AWS_REGION_OF[region],
    isPrimary: region === PRIMARY_REGION,
    regionalName: regionalName(config.domain.publicName, region),
  };
}
