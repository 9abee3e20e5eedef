import {
  CreateDBInstanceReadReplicaCommand,
  type DBInstance,
  DescribeDBInstancesCommand,
  ModifyDBInstanceCommand,
  PromoteReadReplicaCommand,
  type RDSClient,
} from '@aws-sdk/client-rds';
import { OperatingError } from '@evergrant/core/operating-error';
import { otherRegion, type Region } from '@evergrant/core/regions';
import type { DatabaseServiceView } from '../core/views';
import type { DatabaseServicePort } from '../ports';
import type { FollowerSettings } from './follower-settings';
import type { RegionResourceRegistry } from './region-resources';
import { AWS_REGION_OF, type DeploymentNames } from './resource-names';
import { awsCall, isFault } from './sdk';

export interface RdsOptions {
  readonly clients: Readonly<Record<Region, RDSClient>>;
  readonly resources: RegionResourceRegistry;
  readonly names: DeploymentNames;
  readonly account: string;
  /** Settings of a new follower, which may be promoted later. */
  readonly follower: Readonly<Record<Region, FollowerSettings>>;
  readonly nowMs: () => number;
}

/** RDS does not repair these statuses automatically. */
const BROKEN = /^(failed|incompatible-.*|inaccessible-encryption-credentials.*|restore-error|storage-full)$/;

/**
 * RDS. A region's database always has the same identifier: an old database is renamed, and the new one gets its name and
 * address. So the templates match after a failover and a failback.
 */
export class Rds implements DatabaseServicePort {
  readonly #options: RdsOptions;

  constructor(options: RdsOptions) {
    this.#options = options;
  }

  async view(region: Region): Promise<DatabaseServiceView> {
    try {
      const instance = await this.#find(region);
      return instance === undefined ? { kind: 'archived' } : viewOf(instance);
    } catch (failure) {
      if (!(failure instanceof OperatingError)) throw failure;
      return { kind: 'unreachable', reason: failure.message };
    }
  }

  /**
   * Renames the region's database: its servers lose it immediately, and its data can be read under the new name. It is not
   * stopped, because RDS starts a stopped database again after seven days.
   */
  async archive(region: Region): Promise<void> {
    const identifier = this.#options.names.databases[region];
    const archiveName = `${identifier}-kept-${stamp(this.#options.nowMs())}`;
    await this.#rename(region, archiveName).catch((failure: unknown) => {
      // A repeated call finds no database under the old name: the rename is done.
      if (!isFault(failure, 'DBInstanceNotFoundFault')) throw failure;
    });
  }

  async follow(region: Region): Promise<void> {
    const { names, account, clients, resources, follower } = this.#options;
    const existing = await this.#find(region);
    if (existing !== undefined && viewOf(existing).kind === 'failed') {
      await this.#rename(region, `${names.databases[region]}-failed-${stamp(this.#options.nowMs())}`);
      return;
    }
    if (existing !== undefined) return;
    const settings = follower[region];
    const sourceRegion = AWS_REGION_OF[otherRegion(region)];
    const { databaseKeyArn, databaseSecurityGroupId } = await resources.of(region);
    const create = new CreateDBInstanceReadReplicaCommand({
      DBInstanceIdentifier: names.databases[region],
      SourceDBInstanceIdentifier: `arn:aws:rds:${sourceRegion}:${account}:db:${names.databases[otherRegion(region)]}`,
      DBInstanceClass: settings.instanceClass,
      MultiAZ: settings.multiAz,
      MaxAllocatedStorage: settings.storageMaxGiB,
      KmsKeyId: databaseKeyArn,
      DBSubnetGroupName: names.databaseSubnets,
      DBParameterGroupName: names.databaseParameters,
      VpcSecurityGroupIds: [databaseSecurityGroupId],
      StorageType: 'gp3',
      PubliclyAccessible: false,
      AutoMinorVersionUpgrade: false,
      CopyTagsToSnapshot: true,
      DeletionProtection: true,
      EnablePerformanceInsights: true,
      PerformanceInsightsKMSKeyId: databaseKeyArn,
      MonitoringInterval: settings.monitoringIntervalSeconds,
      MonitoringRoleArn: settings.monitoringRoleArn,
      CACertificateIdentifier: settings.certificateAuthority,
      Tags: Object.entries(settings.tags).map(([Key, Value]) => ({ Key, Value })),
      EnableCloudwatchLogsExports: ['postgresql'],
    });
    try {
      await awsCall(`${region}'s new follower`, clients[region].send(create));
    } catch (failure) {
      if (!isFault(failure, 'DBInstanceAlreadyExistsFault')) throw failure;
    }
  }

  /**
   * Asks RDS to promote the follower, unless a promotion is in progress or done. The call goes to the follower's own region
   * and does not depend on the other region.
   */
  async promote(region: Region): Promise<void> {
    const instance = await this.#find(region);
    if (instance === undefined) throw busy(region, 'there is no database');
    if (!isReplica(instance)) return;
    // A promotion passes through these statuses. In any other status RDS decides whether it promotes; some last for hours.
    if (instance.DBInstanceStatus === 'modifying' || instance.DBInstanceStatus === 'rebooting') return;
    const promote = new PromoteReadReplicaCommand({
      DBInstanceIdentifier: this.#options.names.databases[region],
      // A follower has no separate backups; the first backup starts after the promotion.
      BackupRetentionPeriod: this.#options.follower[region].backupRetentionDays,
    });
    await awsCall(`${region}'s promotion`, this.#options.clients[region].send(promote));
  }

  async #find(region: Region): Promise<DBInstance | undefined> {
    const { clients, names } = this.#options;
    const describe = new DescribeDBInstancesCommand({ DBInstanceIdentifier: names.databases[region] });
    try {
      const { DBInstances: [instance] = [] } = await awsCall(`${region}'s database`, clients[region].send(describe));
      // Only the fault DBInstanceNotFound is evidence that there is no instance, not an answer without one.
      if (instance === undefined) throw busy(region, 'the service answers without a database');
      return instance;
    } catch (failure) {
      if (isFault(failure, 'DBInstanceNotFoundFault')) return undefined;
      throw failure;
    }
  }

  async #rename(region: Region, name: string): Promise<void> {
    const { clients, names } = this.#options;
    const modify = new ModifyDBInstanceCommand({
      DBInstanceIdentifier: names.databases[region],
      NewDBInstanceIdentifier: name,
      ApplyImmediately: true,
    });
    await awsCall(`${region}'s database`, clients[region].send(modify));
  }
}

/**
 * A replica whose replication RDS has terminated does not follow any more. `error` and `stopped` are not final: an error
 * ends when the source is back. A lost follower is found in SQL.
 */
function viewOf({
  DBInstanceStatus: status = 'unknown',
  StatusInfos = [],
  ...instance
}: DBInstance): DatabaseServiceView {
  if (BROKEN.test(status)) return { kind: 'failed', reason: `the database is ${status}` };
  const isFollower = isReplica(instance);
  if (status === 'renaming' || instance.PendingModifiedValues?.DBInstanceIdentifier !== undefined) {
    return { kind: 'building' };
  }
  if (!isFollower) return { kind: status === 'creating' ? 'building' : 'running' };
  const ended = StatusInfos.find(({ Status }) => Status === 'terminated');
  if (ended !== undefined) {
    return { kind: 'failed', reason: `its replication is terminated: ${ended.Message ?? 'no reason is given'}` };
  }
  return { kind: status === 'available' || status === 'backing-up' ? 'following' : 'building' };
}

/** A primary database has no source, or an empty one. */
function isReplica({ ReadReplicaSourceDBInstanceIdentifier: source = '' }: DBInstance): boolean {
  return source !== '';
}

function busy(region: Region, why: string): OperatingError {
  return new OperatingError({ code: 'database_busy', message: `${region}'s database: ${why}`, retryable: true });
}

/** Part of an identifier: letters, digits and hyphens only. */
function stamp(nowMs: number): string {
  return new Date(nowMs)
    .toISOString()
    .slice(0, 19)
    .replace(/[^0-9]/g, '');
}
