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
import type { DatabaseServiceView } from '../core/phase-views';
import type { DatabaseServicePort } from '../ports';
import type { FollowerSettings } from './follower-settings';
import type { RegionResourceRegistry } from './region-resources';
import { AWS_REGION_OF, type DeploymentNames } from './resource-names';
import { awsCall, isFault } from './sdk';

export interface RdsOptions {
  readonly clients: Readonly<Record<Region, RDSClient>>;
  readonly introductions: RegionResourceRegistry;
  readonly names: DeploymentNames;
  readonly account: string;
  /** How a follower is made that is to become a primary database one day. */
  readonly follower: Readonly<Record<Region, FollowerSettings>>;
  readonly nowMs: () => number;
}

/** These do not come right by themselves. */
const BROKEN = /^(failed|incompatible-.*|inaccessible-encryption-credentials.*|restore-error|storage-full)$/;

/**
 * RDS. Databases keep their identifiers: an old database is renamed out of the way, and the new one takes its place
 * under its name, with its address. So the templates stay true after there and back again.
 */
export class Rds implements DatabaseServicePort {
  readonly #options: RdsOptions;

  constructor(options: RdsOptions) {
    this.#options = options;
  }

  async view(region: Region): Promise<DatabaseServiceView> {
    try {
      const instance = await this.#find(region);
      return instance === null ? { kind: 'kept' } : viewOf(instance);
    } catch (failure) {
      if (!(failure instanceof OperatingError)) throw failure;
      return { kind: 'unreachable', reason: failure.message };
    }
  }

  /**
   * Renames the region's database: its servers lose it at once, and what it holds stays readable under the new
   * name. It is not stopped: RDS starts a stopped database again after seven days, and nobody would notice.
   */
  async keep(region: Region): Promise<void> {
    const identifier = this.#options.names.databases[region];
    const aside = `${identifier}-kept-${stamp(this.#options.nowMs())}`;
    await this.#rename(region, aside).catch((failure: unknown) => {
      // A second sending of the order finds nothing under the old name: it is done.
      if (!isFault(failure, 'DBInstanceNotFoundFault')) throw failure;
    });
  }

  async follow(region: Region): Promise<void> {
    const { names, account, clients, introductions, follower } = this.#options;
    const existing = await this.#find(region);
    if (existing !== null && viewOf(existing).kind === 'failed') {
      await this.#rename(region, `${names.databases[region]}-failed-${stamp(this.#options.nowMs())}`);
      return;
    }
    if (existing !== null) return;
    const settings = follower[region];
    const sourceRegion = AWS_REGION_OF[otherRegion(region)];
    const { databaseKeyArn, databaseSecurityGroupId } = await introductions.of(region);
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
   * Asks RDS to promote the follower; one that is at it, or has done it, is left alone. The call goes to the follower's
   * own region and needs nothing of the other one.
   */
  async promote(region: Region): Promise<void> {
    const instance = await this.#find(region);
    if (instance === null) throw busy(region, 'there is no database');
    if (!isReplica(instance)) return;
    // A promotion goes through these. In which of the others it promotes RDS alone knows, and says: some last for hours.
    if (instance.DBInstanceStatus === 'modifying' || instance.DBInstanceStatus === 'rebooting') return;
    const promote = new PromoteReadReplicaCommand({
      DBInstanceIdentifier: this.#options.names.databases[region],
      // A follower has no backups of its own; the first one begins after the promotion.
      BackupRetentionPeriod: this.#options.follower[region].backupRetentionDays,
    });
    await awsCall(`${region}'s promotion`, this.#options.clients[region].send(promote));
  }

  async #find(region: Region): Promise<DBInstance | null> {
    const { clients, names } = this.#options;
    const describe = new DescribeDBInstancesCommand({ DBInstanceIdentifier: names.databases[region] });
    try {
      const { DBInstances: [instance] = [] } = await awsCall(`${region}'s database`, clients[region].send(describe));
      // An answer without an instance is no evidence that there is none: the fault is.
      if (instance === undefined) throw busy(region, 'the service answers without a database');
      return instance;
    } catch (failure) {
      if (isFault(failure, 'DBInstanceNotFoundFault')) return null;
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
 * A replica whose replication RDS has terminated does not follow any more. `error` and `stopped` are no verdict: an error
 * passes when the source is back; that a follower is lost for good is seen in SQL.
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

/** A primary database has no source; an empty one in the answer is none. */
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
