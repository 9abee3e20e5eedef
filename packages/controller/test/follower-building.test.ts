import {
  CreateDBInstanceReadReplicaCommand,
  type DBInstance,
  DescribeDBInstancesCommand,
  ModifyDBInstanceCommand,
  RDSClient,
  RebootDBInstanceCommand,
} from '@aws-sdk/client-rds';
import { Rds } from '../src/aws/database-service';
import type { FollowerSettings } from '../src/aws/follower-settings';
import type { RegionResourceRegistry } from '../src/aws/region-resources';
import { deploymentNames } from '../src/aws/resource-names';

const NAMES = deploymentNames('evergrant');
const SOURCE = 'arn:aws:rds:us-east-1:111122223333:db:evergrant-virginia';

type Sent = { readonly name: string; readonly input: Record<string, unknown> };

/** Oregon's database as DescribeDBInstances returns it; undefined when there is none. */
let instance: DBInstance | undefined;
let sent: Sent[];
let rds: Rds;

const follower = (changes: DBInstance = {}): DBInstance => ({
  DBInstanceIdentifier: NAMES.databases.oregon,
  DBInstanceStatus: 'available',
  ReadReplicaSourceDBInstanceIdentifier: SOURCE,
  BackupRetentionPeriod: 14,
  PreferredBackupWindow: '08:00-08:30',
  DBParameterGroups: [{ DBParameterGroupName: NAMES.databaseParameters, ParameterApplyStatus: 'in-sync' }],
  ...changes,
});
const withGroup = (name: string, status: string): DBInstance => ({
  DBParameterGroups: [{ DBParameterGroupName: name, ParameterApplyStatus: status }],
});
const ours = (status: string): DBInstance => withGroup(NAMES.databaseParameters, status);

beforeEach(() => {
  instance = undefined;
  sent = [];
  const client = new RDSClient({ region: 'us-west-2', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } });
  client.middlewareStack.add(
    () => async (args) => {
      const { name, input } = current as Sent;
      if (name === DescribeDBInstancesCommand.name) {
        if (instance === undefined)
          throw Object.assign(new Error('there is none'), { name: 'DBInstanceNotFoundFault' });
        return { response: {}, output: { $metadata: {}, DBInstances: [instance] } } as never;
      }
      sent.push({ name, input });
      return { response: {}, output: { $metadata: {}, args } } as never;
    },
    { step: 'initialize', priority: 'low' },
  );
  let current: Sent | undefined;
  client.middlewareStack.add(
    (next, context) => async (args) => {
      current = { name: String(context.commandName), input: args.input as Record<string, unknown> };
      return next(args);
    },
    { step: 'initialize', priority: 'high' },
  );
  const settings = { backupRetentionDays: 14, backupWindow: '08:00-08:30', tags: {} } as FollowerSettings;
  rds = new Rds({
    clients: { oregon: client, virginia: client },
    resources: {
      of: async () => ({ databaseKeyArn: 'key', databaseSecurityGroupId: 'group' }),
    } as unknown as RegionResourceRegistry,
    names: NAMES,
    account: '111122223333',
    follower: { oregon: settings, virginia: settings },
    nowMs: () => 0,
  });
});

async function step(found: DBInstance | undefined): Promise<Sent[]> {
  instance = found;
  await rds.follow('oregon');
  return sent;
}

describe('database service: building a follower', () => {
  it('creates it without a parameter group and a storage type, which RDS refuses', async () => {
    const [create] = await step(undefined);
    expect(create?.name).toBe(CreateDBInstanceReadReplicaCommand.name);
    expect(Object.keys(create?.input ?? {})).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(DBParameterGroupName|StorageType)$/)]),
    );
  });

  it('orders the parameter group and the backups once the follower is available', async () => {
    const created = follower({ BackupRetentionPeriod: 0, ...withGroup('default.postgres18', 'in-sync') });
    expect(await step(created)).toEqual([
      {
        name: ModifyDBInstanceCommand.name,
        input: {
          DBInstanceIdentifier: NAMES.databases.oregon,
          DBParameterGroupName: NAMES.databaseParameters,
          BackupRetentionPeriod: 14,
          PreferredBackupWindow: '08:00-08:30',
          ApplyImmediately: true,
        },
      },
    ]);
  });

  it('reboots without a failover while the parameter group waits for a reboot', async () => {
    expect(await step(follower(ours('pending-reboot')))).toEqual([
      {
        name: RebootDBInstanceCommand.name,
        input: { DBInstanceIdentifier: NAMES.databases.oregon, ForceFailover: false },
      },
    ]);
  });

  it('orders the backups again when only they are missing', async () => {
    expect(await step(follower({ BackupRetentionPeriod: 0 }))).toMatchObject([{ name: ModifyDBInstanceCommand.name }]);
  });

  it.each([
    ['the group is being applied', follower(ours('applying'))],
    [
      'the backups are ordered',
      follower({ BackupRetentionPeriod: 0, PendingModifiedValues: { BackupRetentionPeriod: 14 } }),
    ],
    ['the follower reboots', follower({ DBInstanceStatus: 'rebooting', ...ours('pending-reboot') })],
    ['the follower is being created', follower({ DBInstanceStatus: 'creating', BackupRetentionPeriod: 0 })],
    ['everything is in force', follower()],
    [
      'the database is a primary database',
      follower({ ReadReplicaSourceDBInstanceIdentifier: '', BackupRetentionPeriod: 0 }),
    ],
  ])('orders nothing when %s', async (_what, found) => {
    expect(await step(found)).toEqual([]);
  });

  it('throws an error that a retry does not fix when RDS cannot apply the group', async () => {
    instance = follower(ours('failed-to-apply'));
    await expect(rds.follow('oregon')).rejects.toMatchObject({ retryable: false });
  });
});

describe('database service: view of a follower', () => {
  it.each([
    ['following', follower()],
    ['following', follower({ DBInstanceStatus: 'backing-up' })],
    ['incomplete', follower(withGroup('default.postgres18', 'in-sync'))],
    ['incomplete', follower(ours('pending-reboot'))],
    ['incomplete', follower(ours('applying'))],
    ['incomplete', follower(ours('failed-to-apply'))],
    ['incomplete', follower({ BackupRetentionPeriod: 0 })],
    ['incomplete', follower({ DBParameterGroups: [] })],
    ['building', follower({ DBInstanceStatus: 'rebooting', ...ours('pending-reboot') })],
  ])('is %s', async (kind, found) => {
    instance = found;
    expect(await rds.view('oregon')).toMatchObject({ kind });
  });

  it('names the state of the parameter group', async () => {
    instance = follower(ours('pending-reboot'));
    expect(await rds.view('oregon')).toMatchObject({ reason: 'its parameter group is pending-reboot' });
  });
});
