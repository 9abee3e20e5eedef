import { type DBInstance, DescribeDBInstancesCommand, type RDSClient } from '@aws-sdk/client-rds';
import { Rds } from '@evergrant/controller/aws/database-service';
import { readFailoverEnvironment } from '@evergrant/controller/aws/environment';
import type { RegionResourceRegistry } from '@evergrant/controller/aws/region-resources';
import { deploymentNames } from '@evergrant/controller/aws/resource-names';
import { REGIONS, type Region } from '@evergrant/core/regions';
import { config } from '../../deployment.config';
import RULES from '../aws/model/aws-rules.json';
import { ofType, type Synthesized, synthesize } from './support/synthesized';

const NAMES = deploymentNames(config.deployment);
/** Properties that a follower inherits from its source, or that its creation cannot set. */
const NOT_GIVEN = new Set([
  ...['AllocatedStorage', 'DBName', 'Engine', 'EngineVersion', 'MasterUsername'],
  ...['MasterUserPassword', 'Port', 'PreferredMaintenanceWindow', 'SourceRegion', 'StorageEncrypted'],
  'SourceDBInstanceIdentifier',
  // The default of a new follower, which RDS accepts by name only together with Iops.
  'StorageType',
]);
/** Properties with different names in the template and in the API call. */
const RENAMED: Readonly<Record<string, string>> = { VPCSecurityGroups: 'VpcSecurityGroupIds' };

let app: Synthesized;

beforeAll(() => {
  app = synthesize();
}, 120_000);

/** The settings as the deployed controller reads them. */
function deployedSettings() {
  const [found] = ofType(app.templates.virginia, 'AWS::Lambda::Function').filter(
    ([, { Properties }]) => Properties.FunctionName === NAMES.controller,
  );
  if (found === undefined) throw new Error('there is no controller in the template');
  const { Variables } = found[1].Properties.Environment as { Variables: Record<string, unknown> };
  const texts = Object.entries(Variables).map(([name, value]) => [name, typeof value === 'string' ? value : 'token']);
  return readFailoverEnvironment(Object.fromEntries(texts)).follower;
}

/** The follower right after its creation. */
const CREATED: DBInstance = {
  DBInstanceStatus: 'available',
  ReadReplicaSourceDBInstanceIdentifier: 'the other region',
  DBParameterGroups: [{ DBParameterGroupName: 'default.postgres18', ParameterApplyStatus: 'in-sync' }],
};

interface Call {
  readonly operation: string;
  readonly input: Record<string, unknown>;
}

/** The API calls of the controller that create a new database in the region: creation, then its settings. */
async function followerCalls(region: Region): Promise<Call[]> {
  const calls: Call[] = [];
  let instance: DBInstance | undefined;
  const send = async (command: { readonly input: Record<string, unknown> }): Promise<unknown> => {
    if (command instanceof DescribeDBInstancesCommand) {
      if (instance !== undefined) return { DBInstances: [instance] };
      throw Object.assign(new Error('there is none'), { name: 'DBInstanceNotFoundFault' });
    }
    calls.push({ operation: command.constructor.name.replace(/Command$/, ''), input: command.input });
    return {};
  };
  const client = { send } as unknown as RDSClient;
  const introduction = { databaseKeyArn: 'token', databaseSecurityGroupId: 'token' };
  const rds = new Rds({
    clients: { oregon: client, virginia: client },
    resources: { of: async () => introduction } as unknown as RegionResourceRegistry,
    ...{ names: NAMES, account: config.account, follower: deployedSettings(), nowMs: () => 0 },
  });
  await rds.follow(region);
  instance = CREATED;
  await rds.follow(region);
  return calls;
}

/** Values that are known only after the deploy are compared by their presence. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  const isToken = typeof value === 'object' && value !== null && !('Key' in value);
  return isToken ? 'token' : value;
}

describe.each(REGIONS)('database that the controller creates in %s', (region) => {
  it('has every setting of the template', async () => {
    const [database] = ofType(app.templates[region], 'AWS::RDS::DBInstance');
    const call: Record<string, unknown> = Object.assign({}, ...(await followerCalls(region)).map(({ input }) => input));
    const { Tags, ...properties } = database?.[1].Properties ?? {};
    const said = Object.entries(properties).filter(([name]) => !NOT_GIVEN.has(name));
    expect(said.length).toBeGreaterThan(15);
    for (const [name, value] of said) expect({ [name]: call[RENAMED[name] ?? name] }).toEqual({ [name]: plain(value) });
    expect(call.Tags).toEqual(expect.arrayContaining(Tags as unknown[]));
  });

  it('is created by calls that AWS accepts', async () => {
    const calls = await followerCalls(region);
    expect(calls.map(({ operation }) => operation)).toEqual(['CreateDBInstanceReadReplica', 'ModifyDBInstance']);
    for (const { operation, input } of calls) {
      const accepted = RULES.operations[operation as keyof typeof RULES.operations].accepted;
      expect(Object.keys(input).filter((parameter) => !accepted.includes(parameter))).toEqual([]);
    }
  });
});
