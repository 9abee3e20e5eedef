import {
  AWS_REGION_OF,
  type DeploymentNames,
  deploymentNames,
  regionalName,
} from '@evergrant/controller/aws/resource-names';
import { otherRegion, PRIMARY_REGION, type Region } from '@evergrant/core/regions';
import type { DeploymentConfig } from './deployment-config';

/** The configuration and the region, as passed to every construct of a region. */
export interface RegionContext {
  readonly config: DeploymentConfig;
  readonly names: DeploymentNames;
  readonly region: Region;
  readonly other: Region;
  readonly awsRegion: string;
  readonly isPrimary: boolean;
  /** The host name of this region. It does not depend on which region is active. */
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
