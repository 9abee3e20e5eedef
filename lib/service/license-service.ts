import { join } from 'node:path';
import { regionalName } from '@evergrant/controller/aws/resource-names';
import { DEFAULT_POLICY } from '@evergrant/controller/core/policy';
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { Platform } from 'aws-cdk-lib/aws-ecr-assets';
import {
  AvailabilityZoneRebalancing,
  Cluster,
  type ContainerDefinition,
  ContainerDependencyCondition,
  ContainerImage,
  ContainerInsights,
  CpuArchitecture,
  FargateService,
  FargateTaskDefinition,
  type HealthCheck,
  type ICluster,
  LogDriver,
  OperatingSystemFamily,
  Secret as TaskSecret,
} from 'aws-cdk-lib/aws-ecs';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { authorityTableArn } from '../authority/authority-table';
import { acknowledge } from '../config/acknowledged';
import { RENEWAL_EVERY_MS } from '../config/cross-field-rules';
import type { RegionContext } from '../config/region-context';
import { type DatabaseFoundation, POSTGRES_PORT } from '../database/database-foundation';
import type { RegionDatabase } from '../database/license-database';
import type { RegionNetwork } from '../network/region-network';
import { DATABASE_NAME, type DeploymentSecrets } from '../secrets/deployment-secrets';
import { type LoadBalancer, SERVER_PORT } from './load-balancer';

export interface LicenseServiceProps {
  readonly context: RegionContext;
  readonly network: RegionNetwork;
  readonly loadBalancer: LoadBalancer;
  readonly database: RegionDatabase;
  readonly foundation: DatabaseFoundation;
  readonly secrets: DeploymentSecrets;
  readonly logKey: IKey;
}

/** Fails only while the schema is older than the server's release. A lost database does not replace any server. */
const SCHEMA_CHECK: HealthCheck = {
  command: [
    'CMD',
    'node',
    '-e',
    `fetch('http://127.0.0.1:${SERVER_PORT}/startupz', { signal: AbortSignal.timeout(4000) }).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))`,
  ],
  interval: Duration.seconds(10),
  timeout: Duration.seconds(5),
  retries: 3,
  // A follower receives a migration seconds after the primary database.
  startPeriod: Duration.seconds(120),
};

/** How often a server logs its metrics, from which CloudWatch extracts them. */
const METRICS_EVERY_MS = 60_000;

/**
 * The license servers of a region. The servers of the standby region run all the time beside their follower. A server
 * decides from its database and its proof of authority whether it grants; no template or command sets it.
 */
export class LicenseService extends Construct {
  readonly cluster: Cluster;
  readonly service: FargateService;
  readonly logGroup: LogGroup;
  readonly migration: FargateTaskDefinition;
  readonly #props: LicenseServiceProps;
  readonly #image: ContainerImage;

  constructor(scope: Construct, id: string, props: LicenseServiceProps) {
    super(scope, id);
    this.#props = props;
    const { context, network, loadBalancer, foundation, logKey } = props;
    const { config } = context;
    this.#image = imageOf(config.service.image);
    this.logGroup = new LogGroup(this, 'Log', {
      logGroupName: `/${config.deployment}/servers`,
      retention: config.logRetentionDays,
      encryptionKey: logKey,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.cluster = new Cluster(this, 'Cluster', {
      clusterName: config.deployment,
      vpc: network.vpc,
      containerInsightsV2: ContainerInsights.ENABLED,
    });
    const securityGroup = new SecurityGroup(this, 'SecurityGroup', { vpc: network.vpc, description: 'the servers' });
    securityGroup.addIngressRule(loadBalancer.securityGroup, Port.tcp(SERVER_PORT), 'from the load balancer');
    loadBalancer.securityGroup.addEgressRule(securityGroup, Port.tcp(SERVER_PORT), 'to the servers');
    foundation.allowFrom(securityGroup, 'the license servers');
    this.service = new FargateService(this, 'Service', {
      serviceName: 'servers',
      cluster: this.cluster as ICluster,
      taskDefinition: this.#serverTask(),
      securityGroups: [securityGroup],
      vpcSubnets: { subnets: [...network.serverSubnets] },
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      circuitBreaker: { rollback: true },
      availabilityZoneRebalancing: AvailabilityZoneRebalancing.ENABLED,
      healthCheckGracePeriod: Duration.seconds(30),
      enableExecuteCommand: false,
    });
    this.service.attachToApplicationTargetGroup(loadBalancer.targets);
    this.service
      .autoScaleTaskCount({ minCapacity: config.service.tasksMin, maxCapacity: config.service.tasksMax })
      .scaleOnCpuUtilization('Cpu', {
        targetUtilizationPercent: 50,
        scaleInCooldown: Duration.minutes(10),
        scaleOutCooldown: Duration.minutes(1),
      });
    this.migration = this.#migrationTask();
  }

  #serverTask(): FargateTaskDefinition {
    const { context, secrets } = this.#props;
    const { config, awsRegion } = context;
    const task = this.#task('Server', config.service.cpu, config.service.memoryMiB);
    const server = task.addContainer('server', {
      image: this.#image,
      readonlyRootFilesystem: true,
      portMappings: [{ containerPort: SERVER_PORT }],
      environment: { ...this.#databaseEnvironment('evergrant_server'), ...serverEnvironment(context) },
      healthCheck: SCHEMA_CHECK,
      secrets: { EVERGRANT_SECRETS: TaskSecret.fromSecretsManager(secrets.server) },
      logging: LogDriver.awsLogs({ logGroup: this.logGroup, streamPrefix: 'server' }),
      stopTimeout: Duration.seconds(30),
    });
    // COMPLETE, not SUCCESS: beside a lost database a server must still start, and answer where to go. After a failed
    // migration the health check fails, and the circuit breaker restores the previous release.
    server.addContainerDependencies({
      container: this.#addMigration(task),
      condition: ContainerDependencyCondition.COMPLETE,
    });
    task.taskRole.addToPrincipalPolicy(
      new PolicyStatement({
        sid: 'RenewAuthority',
        actions: ['dynamodb:GetItem', 'dynamodb:UpdateItem', 'dynamodb:PutItem', 'dynamodb:Query'],
        resources: [authorityTableArn(config, awsRegion)],
        // The servers renew the authority record and add checkpoints. They only read the controllers' records.
        conditions: {
          'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': ['authority', 'checkpoint', 'checkpoint-newest'] },
        },
      }),
    );
    task.taskRole.addToPrincipalPolicy(
      new PolicyStatement({
        sid: 'ReadControllerHistory',
        actions: ['dynamodb:GetItem', 'dynamodb:Query'],
        resources: [authorityTableArn(config, awsRegion)],
        conditions: { 'ForAllValues:StringEquals': { 'dynamodb:LeadingKeys': ['control', 'history'] } },
      }),
    );
    return task;
  }

  /** The same migration on its own, for an operator: docs/deploy.md. */
  #migrationTask(): FargateTaskDefinition {
    const task = this.#task('Migration', 256, 512);
    this.#addMigration(task, { essential: true });
    return task;
  }

  /** Migrates the region's database, if it is writable and its schema is older than the image's release. */
  #addMigration(task: FargateTaskDefinition, { essential } = { essential: false }): ContainerDefinition {
    const { secrets } = this.#props;
    return task.addContainer('migration', {
      image: this.#image,
      essential,
      command: ['dist/server/migrate.js'],
      readonlyRootFilesystem: true,
      environment: this.#databaseEnvironment('evergrant_owner'),
      secrets: {
        EVERGRANT_SECRETS: TaskSecret.fromSecretsManager(secrets.owner),
        EVERGRANT_SERVER_PASSWORD: TaskSecret.fromSecretsManager(secrets.server, 'databasePassword'),
        EVERGRANT_CONTROLLER_PASSWORD: TaskSecret.fromSecretsManager(secrets.controller, 'password'),
        EVERGRANT_ADMINISTRATOR_TOKEN: TaskSecret.fromSecretsManager(secrets.administrator, 'token'),
      },
      logging: LogDriver.awsLogs({ logGroup: this.logGroup, streamPrefix: 'migration' }),
    });
  }

  #task(id: string, cpu: number, memoryLimitMiB: number): FargateTaskDefinition {
    const task = new FargateTaskDefinition(this, id, {
      family: `${this.#props.context.config.deployment}-${id.toLowerCase()}`,
      cpu,
      memoryLimitMiB,
      runtimePlatform: { cpuArchitecture: CpuArchitecture.ARM64, operatingSystemFamily: OperatingSystemFamily.LINUX },
    });
    acknowledge(task, {
      'AwsSolutions-ECS2': 'The variables are names and addresses. Secrets come from Secrets Manager.',
      'AwsSolutions-IAM5[Resource::*]':
        'ecr:GetAuthorizationToken has no resource types. All other statements name their resources.',
    });
    return task;
  }

  #databaseEnvironment(user: string): Record<string, string> {
    return {
      EVERGRANT_DATABASE_HOST: this.#props.database.host,
      EVERGRANT_DATABASE_PORT: String(POSTGRES_PORT),
      EVERGRANT_DATABASE_NAME: DATABASE_NAME,
      EVERGRANT_DATABASE_USER: user,
      EVERGRANT_DATABASE_CA_FILE: 'rds',
      EVERGRANT_LICENSE_TRUST: JSON.stringify(this.#props.context.config.licenseTrust),
    };
  }
}

function serverEnvironment({ config, names, region, awsRegion }: RegionContext): Record<string, string> {
  const { publicName } = config.domain;
  const { authorityLeaseMs, skewMs } = { ...DEFAULT_POLICY, ...config.failover };
  const addresses = {
    oregon: `https://${regionalName(publicName, 'oregon')}`,
    virginia: `https://${regionalName(publicName, 'virginia')}`,
  };
  return {
    EVERGRANT_REGION: region,
    EVERGRANT_HOST: '0.0.0.0',
    // The load balancer terminates TLS, and only the load balancer can reach the servers.
    EVERGRANT_TLS_ENDS_BEFORE: 'yes',
    EVERGRANT_TRUSTED_PROXIES: config.network[region].cidr,
    EVERGRANT_PORT_LISTEN: String(SERVER_PORT),
    EVERGRANT_AUTHORITY_TABLE: names.authorityTable,
    EVERGRANT_AUTHORITY_AWS_REGION: awsRegion,
    // RDS chooses the connection name of its follower. Every replica of RDS has its own slot, so the servers count slots too,
    // and no acknowledgement counts while there may be more than one follower (docs/decisions/0040).
    EVERGRANT_FOLLOWER_NAME: '%',
    EVERGRANT_REGION_ADDRESSES: JSON.stringify(addresses),
    EVERGRANT_AUTHORITY_LEASE_MS: String(authorityLeaseMs),
    EVERGRANT_RENEWAL_EVERY_MS: String(RENEWAL_EVERY_MS),
    EVERGRANT_SKEW_MS: String(skewMs),
    EVERGRANT_LOG_METRICS_EVERY_MS: String(METRICS_EVERY_MS),
  };
}

/** The folders and files that packages/server/Dockerfile copies. */
const IMAGE_FOLDERS = ['authority-store', 'core', 'formats', 'server'].map((name) => `packages/${name}`);
const IMAGE_FILES = [
  ...['packages', 'scripts', 'scripts/build.js'],
  ...['package.json', 'package-lock.json', '.npmrc', 'tsconfig.base.json'],
];

/** The container image. An image asset is identified by its sources, so only the deploy needs Docker. */
function imageOf(image: string): ContainerImage {
  if (image !== 'build') return ContainerImage.fromRegistry(image);
  return ContainerImage.fromAsset(join(__dirname, '../..'), {
    file: 'packages/server/Dockerfile',
    platform: Platform.LINUX_ARM64,
    // Excludes everything that the Dockerfile does not copy. A folder and its contents are two patterns.
    exclude: [
      '**',
      ...IMAGE_FOLDERS.flatMap((folder) => [`!${folder}`, `!${folder}/**`]),
      ...IMAGE_FILES.map((file) => `!${file}`),
      'packages/*/test',
    ],
  });
}
