import {
  CreateDBInstanceReadReplicaCommand,
  type DBInstance,
  DescribeDBInstancesCommand,
  ModifyDBInstanceCommand,
  PromoteReadReplicaCommand,
  type RDSClient,
  RebootDBInstanceCommand,
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
      return instance === undefined ? { kind: 'archived' } : this.#viewOf(instance);
    } catch (failure) {
      if (!(failure instanceof OperatingError)) throw failure;
      return { kind: 'unreachable', reason: failure.message };
    }
  }

  /**
   * Renames the region's database: its servers lose it immediately, and its data can be read under the new name. It is not
   * stopped, because RDS starts a stopped database again after seven days. A follower that is replaced is promoted first:
   * that ends its stream and its slot, so that the active region never takes it for the new follower (S5).
   */
  async archive(region: Region): Promise<void> {
    const instance = await this.#find(region);
    // A repeated call finds no database under the old name: the rename is done.
    if (instance === undefined) return;
    if (isReplica(instance) && this.#viewOf(instance).kind !== 'failed') return this.promote(region);
    const identifier = this.#options.names.databases[region];
    const archiveName = `${identifier}-kept-${stamp(this.#options.nowMs())}`;
    await this.#rename(region, archiveName).catch((failure: unknown) => {
      // A repeated call finds no database under the old name: the rename is done.
      if (!isFault(failure, 'DBInstanceNotFoundFault')) throw failure;
    });
  }

  /**
   * The next step towards a complete follower: create it, order its parameter group and backups, or reboot it. RDS
   * accepts neither the group nor the backups when it creates a PostgreSQL follower in another region.
   */
  async follow(region: Region): Promise<void> {
    const existing = await this.#find(region);
    if (existing === undefined) return this.#createFollower(region);
    const { kind } = this.#viewOf(existing);
    if (kind === 'failed') {
      const name = `${this.#options.names.databases[region]}-failed-${stamp(this.#options.nowMs())}`;
      return this.#rename(region, name);
    }
    if (kind === 'incomplete') await this.#configureFollower(region, existing);
  }

  async #createFollower(region: Region): Promise<void> {
    const { names, account, clients, resources, follower } = this.#options;
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
      VpcSecurityGroupIds: [databaseSecurityGroupId],
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

  /** Each call is repeated by a later cycle if RDS refuses it in the follower's present state, for example `backing-up`. */
  async #configureFollower(region: Region, instance: DBInstance): Promise<void> {
    const { names, clients, follower } = this.#options;
    const { backupRetentionDays, backupWindow } = follower[region];
    const identifier = { DBInstanceIdentifier: names.databases[region] };
    const group = parameterGroupStatus(instance, names.databaseParameters);
    const areBackupsOrdered = instance.PendingModifiedValues?.BackupRetentionPeriod !== undefined;
    if (group === undefined || !(hasBackups(instance) || areBackupsOrdered)) {
      const modify = new ModifyDBInstanceCommand({
        ...identifier,
        DBParameterGroupName: names.databaseParameters,
        BackupRetentionPeriod: backupRetentionDays,
        PreferredBackupWindow: backupWindow,
        ApplyImmediately: true,
      });
      await awsCall(`${region}'s follower settings`, clients[region].send(modify));
    } else if (group === 'pending-reboot') {
      // A failover inside of the region would not put the group in force.
      const reboot = new RebootDBInstanceCommand({ ...identifier, ForceFailover: false });
      await awsCall(`${region}'s follower reboot`, clients[region].send(reboot));
    } else if (group === 'failed-to-apply') {
      const message = `${region}'s database: RDS cannot apply the parameter group ${names.databaseParameters}`;
      throw new OperatingError({ code: 'parameter_group_failed', message, retryable: false });
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
      BackupRetentionPeriod: this.#options.follower[region].backupRetentionDays,
      PreferredBackupWindow: this.#options.follower[region].backupWindow,
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

  /**
   * A replica whose replication RDS has terminated does not follow any more. `error` and `stopped` are not final: an error
   * ends when the source is back. A lost follower is found in SQL.
   */
  #viewOf(instance: DBInstance): DatabaseServiceView {
    const { DBInstanceStatus: status = 'unknown', StatusInfos = [] } = instance;
    if (BROKEN.test(status)) return { kind: 'failed', reason: `the database is ${status}` };
    if (status === 'renaming' || instance.PendingModifiedValues?.DBInstanceIdentifier !== undefined) {
      return { kind: 'building' };
    }
    if (!isReplica(instance)) return { kind: status === 'creating' ? 'building' : 'running' };
    const ended = StatusInfos.find(({ Status }) => Status === 'terminated');
    if (ended !== undefined) {
      return { kind: 'failed', reason: `its replication is terminated: ${ended.Message ?? 'no reason is given'}` };
    }
    if (status !== 'available' && status !== 'backing-up') return { kind: 'building' };
    const group = parameterGroupStatus(instance, this.#options.names.databaseParameters);
    if (group !== 'in-sync') return { kind: 'incomplete', reason: `its parameter group is ${group ?? 'another one'}` };
    return hasBackups(instance) ? { kind: 'following' } : { kind: 'incomplete', reason: 'it has no backups' };
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

/** The status of the instance's parameter group; undefined when the instance has another group. */
function parameterGroupStatus({ DBParameterGroups = [] }: DBInstance, name: string): string | undefined {
  const group = DBParameterGroups.find(({ DBParameterGroupName }) => DBParameterGroupName === name);
  return group === undefined ? undefined : (group.ParameterApplyStatus ?? 'unknown');
}

function hasBackups({ BackupRetentionPeriod = 0 }: DBInstance): boolean {
  return BackupRetentionPeriod > 0;
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
