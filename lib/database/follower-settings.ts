import type { FollowerSettings } from '@evergrant/controller/aws/follower-settings';
import type { DeploymentNames } from '@evergrant/controller/aws/resource-names';
import type { Region } from '@evergrant/core/regions';
import type { DeploymentConfig } from '../config/deployment-config';
import { CERTIFICATE_AUTHORITY } from './database-foundation';

/** Outside of the maintenance windows, in UTC. */
const BACKUP_WINDOW = '08:00-08:30';

/** The tags of all resources of a deployment. */
export function deploymentTags({ deployment }: DeploymentConfig): Readonly<Record<string, string>> {
  return { 'evergrant:deployment': deployment };
}

/** The settings of a region's database, shared by the template and the controller that creates a new follower. */
export function followerSettings(config: DeploymentConfig, names: DeploymentNames, region: Region): FollowerSettings {
  const { database, account } = config;
  return {
    instanceClass: database.instanceClass,
    multiAz: database.multiAz[region],
    backupRetentionDays: database.backupRetentionDays,
    backupWindow: BACKUP_WINDOW,
    storageMaxGiB: database.storageMaxGiB,
    monitoringIntervalSeconds: 60,
    monitoringRoleArn: `arn:aws:iam::${account}:role/${names.databaseMonitoringRoles[region]}`,
    certificateAuthority: CERTIFICATE_AUTHORITY,
    tags: deploymentTags(config),
  };
}
