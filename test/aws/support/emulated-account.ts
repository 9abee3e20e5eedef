import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  CreateDBInstanceCommand,
  CreateDBInstanceReadReplicaCommand,
  ModifyDBInstanceCommand,
  RDSClient,
  RebootDBInstanceCommand,
} from '@aws-sdk/client-rds';
import { CreateHealthCheckCommand, CreateHostedZoneCommand, Route53Client } from '@aws-sdk/client-route-53';
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { CreateTopicCommand, SNSClient } from '@aws-sdk/client-sns';
import { CreateWebACLCommand, WAFV2Client } from '@aws-sdk/client-wafv2';
import { ClockSkewGuard } from '@evergrant/authority-store/clock-skew-guard';
import { DynamoAuthorityStore } from '@evergrant/controller/aws/authority-store';
import { DynamoControlStore } from '@evergrant/controller/aws/control-store';
import { AWS_REGION_OF, deploymentNames, regionalName } from '@evergrant/controller/aws/resource-names';
import { PRIMARY_REGION, REGIONS, type Region } from '@evergrant/core/regions';
import { eventually } from '@evergrant/test-support/eventually';
import { seedAssociation } from '../../../lambda/setup/association';
import { seedAuthority } from '../../../lambda/setup/authority';
import type { SetupClients } from '../../../lambda/setup/custom-resource';
import { seedPublicRecord } from '../../../lambda/setup/public-record';
import { publishRegionResources } from '../../../lambda/setup/publish-region-resources';
import { seedSigningKeys } from '../../../lambda/setup/signing-keys';
import { ACCOUNT, createAuthorityTable, createRegionalRecord } from './emulator';
import type { Ground } from './ground';
import type { ModelState } from './region-model';

const NAMES = deploymentNames('evergrant');
const SERVER_PASSWORD = 'server-password-for-tests';
const CONTROLLER_PASSWORD = 'controller-password';

type Clients = Record<Region, SetupClients & { rds: RDSClient; sns: SNSClient }>;

/** The stores of the authority table, through their own code. The tests accept any clock difference. */
export function storesOf(client: DynamoDBClient, table: string) {
  const clock = new ClockSkewGuard({ nowMs: () => Date.now(), skewMs: 60_000 });
  clock.watch(client);
  return {
    authority: new DynamoAuthorityStore({ client, table, clock }),
    control: new DynamoControlStore({ client, table, nowMs: () => Date.now() }),
  };
}

/**
 * The resources of an AWS account that the controller and the servers use, in moto, created as CloudFormation creates
 * them.
 */
export class EmulatedAccount {
  readonly #ground: Ground;
  readonly #control: string;
  readonly #clients: Clients;
  readonly #aclArns: Record<string, string> = {};
  hostedZoneId = '';
  /** The complete secret of the servers, as their container receives it. */
  serverSecret = '';

  constructor(ground: Ground, { endpoint, control }: { endpoint: string; control: string }) {
    this.#ground = ground;
    this.#control = control;
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
    const of = (region: Region) => {
      const settings = { region: AWS_REGION_OF[region], endpoint, credentials };
      return {
        dynamo: new DynamoDBClient(settings),
        waf: new WAFV2Client(settings),
        secrets: new SecretsManagerClient(settings),
        route53: new Route53Client(settings),
        rds: new RDSClient(settings),
        sns: new SNSClient(settings),
      };
    };
    this.#clients = { oregon: of('oregon'), virginia: of('virginia') };
  }

  /** The emulator's current associations, records and metrics. */
  async model(): Promise<ModelState> {
    return (await (await fetch(this.#control)).json()) as ModelState;
  }

  async set(state: { witnessHealthy?: number; witnessOf?: number; changeSeconds?: number }): Promise<void> {
    await fetch(this.#control, { method: 'POST', body: JSON.stringify(state) });
  }

  async aclOf(region: Region): Promise<string | undefined> {
    return (await this.model()).acls[loadBalancerArn(region)];
  }

  async activeRecord(): Promise<string | undefined> {
    return (await this.model()).records[this.#ground.publicName];
  }

  stores() {
    return storesOf(this.#clients.virginia.dynamo, NAMES.authorityTable);
  }

  async setControllerPassword(password: string): Promise<void> {
    const put = new PutSecretValueCommand({
      SecretId: NAMES.secrets.controller,
      SecretString: controllerLogin(password),
    });
    await this.#clients.virginia.secrets.send(put);
  }

  /** Resolves the references in the templates to their values. */
  async populate(): Promise<Record<string, string>> {
    const { dynamo, route53, sns } = this.#clients.virginia;
    await createAuthorityTable(dynamo, NAMES.authorityTable);
    const zone = await route53.send(new CreateHostedZoneCommand({ Name: 'example.com', CallerReference: '1' }));
    this.hostedZoneId = String(zone.HostedZone?.Id?.split('/').at(-1));
    const watched = regionalName(this.#ground.publicName, PRIMARY_REGION);
    const check = await route53.send(
      new CreateHealthCheckCommand({
        CallerReference: '1',
        HealthCheckConfig: { Type: 'HTTPS', FullyQualifiedDomainName: watched },
      }),
    );
    const topic = await sns.send(new CreateTopicCommand({ Name: 'evergrant-alerts' }));
    await this.#makeSecrets();
    for (const region of REGIONS) await this.#makeWebAcls(region);
    return {
      ControllerWitness: String(check.HealthCheck?.Id),
      Alerts: String(topic.TopicArn),
      LicenseDatabaseInstance: 'never',
    };
  }

  async makeDatabases(): Promise<void> {
    const { oregon, virginia } = this.#clients;
    await this.#ground.databases.makePrimary(NAMES.databases.oregon, {
      evergrant_server: SERVER_PASSWORD,
      evergrant_controller: CONTROLLER_PASSWORD,
    });
    await oregon.rds.send(
      new CreateDBInstanceCommand({
        DBInstanceIdentifier: NAMES.databases.oregon,
        DBInstanceClass: 'db.m7g.large',
        Engine: 'postgres',
        MasterUsername: 'evergrant_owner',
        MasterUserPassword: 'only-for-tests',
        AllocatedStorage: 20,
        BackupRetentionPeriod: 7,
      }),
    );
    // As in the template: the follower is created as a follower.
    await virginia.rds.send(
      new CreateDBInstanceReadReplicaCommand({
        DBInstanceIdentifier: NAMES.databases.virginia,
        SourceDBInstanceIdentifier: `arn:aws:rds:us-west-2:${ACCOUNT}:db:${NAMES.databases.oregon}`,
      }),
    );
    const stands = async (): Promise<boolean> =>
      (await this.model()).databases[NAMES.databases.virginia]?.status === 'available';
    await eventually('the follower exists', stands, { deadlineMs: 60_000, everyMs: 100 });
    await completeFollower(virginia.rds, NAMES.databases.virginia);
    await eventually('the follower is complete', stands, { deadlineMs: 60_000, everyMs: 100 });
    this.#ground.nameDatabases();
  }

  /** Runs the setup handlers, as the stacks' custom resources do. */
  async setUp(): Promise<void> {
    const table = NAMES.authorityTable;
    const { hostedZoneId } = this;
    for (const region of REGIONS) {
      const clients = this.#clients[region];
      if (region === PRIMARY_REGION) {
        const regional = REGIONS.map((each) => regionalName(this.#ground.publicName, each));
        for (const name of regional) await createRegionalRecord(clients.route53, hostedZoneId, name);
        await seedAuthority({ table }, clients);
        await seedPublicRecord({ publicName: this.#ground.publicName, hostedZoneId }, clients);
      }
      const edge = {
        loadBalancerArn: loadBalancerArn(region),
        serveAclArn: String(this.#aclArns[`${region} ${NAMES.serveAcl}`]),
        fenceAclArn: String(this.#aclArns[`${region} ${NAMES.fenceAcl}`]),
      };
      const database = {
        databaseHost: this.#ground.databaseHost(region),
        databasePort: '5432',
        databaseSecurityGroupId: 'sg-1',
        databaseKeyArn: 'arn:key',
      };
      const network = { vpcId: 'vpc-1', databaseRouteTableIds: 'rtb-1' };
      await publishRegionResources({ table, name: region, ...edge, ...database, ...network }, clients);
      await seedAssociation({ table, region, ...edge }, clients);
    }
  }

  async #makeSecrets(): Promise<void> {
    const { oregon, virginia } = this.#clients;
    const secret = (Name: string, SecretString: string) => new CreateSecretCommand({ Name, SecretString });
    await virginia.secrets.send(secret(NAMES.secrets.controller, controllerLogin(CONTROLLER_PASSWORD)));
    await oregon.secrets.send(secret(NAMES.secrets.server, JSON.stringify({ databasePassword: SERVER_PASSWORD })));
    await seedSigningKeys({ secretId: NAMES.secrets.server }, oregon);
    const { SecretString } = await oregon.secrets.send(new GetSecretValueCommand({ SecretId: NAMES.secrets.server }));
    this.serverSecret = String(SecretString);
  }

  async #makeWebAcls(region: Region): Promise<void> {
    for (const name of [NAMES.serveAcl, NAMES.fenceAcl]) {
      const acl = await this.#clients[region].waf.send(
        new CreateWebACLCommand({
          Name: name,
          Scope: 'REGIONAL',
          DefaultAction: { Allow: {} },
          VisibilityConfig: { SampledRequestsEnabled: false, CloudWatchMetricsEnabled: false, MetricName: 'x' },
        }),
      );
      this.#aclArns[`${region} ${name}`] = String(acl.Summary?.ARN);
    }
  }
}

/** What CloudFormation's handler of AWS::RDS::DBInstance does after it has created a PostgreSQL follower. */
export async function completeFollower(rds: RDSClient, identifier: string): Promise<void> {
  const settings = new ModifyDBInstanceCommand({
    DBInstanceIdentifier: identifier,
    DBParameterGroupName: NAMES.databaseParameters,
    BackupRetentionPeriod: 14,
    ApplyImmediately: true,
  });
  await rds.send(settings);
  const rebooted = () =>
    rds.send(new RebootDBInstanceCommand({ DBInstanceIdentifier: identifier })).then(
      () => true,
      () => false,
    );
  await eventually('the follower reboots', rebooted, { deadlineMs: 60_000, everyMs: 200 });
}

function controllerLogin(password: string): string {
  return JSON.stringify({ dbname: 'evergrant', username: 'evergrant_controller', password });
}

function loadBalancerArn(region: Region): string {
  return `arn:aws:elasticloadbalancing:${AWS_REGION_OF[region]}:${ACCOUNT}:loadbalancer/app/evergrant/0123456789abcdef`;
}
