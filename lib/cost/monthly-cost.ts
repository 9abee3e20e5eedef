import priceFile from './prices.json';
import type { MonthlyUsage } from './usage';

export interface PricedResource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
}

/** The resources of one stack by logical id. */
export type StackResources = Readonly<Record<string, PricedResource>>;

/** One line of the table: US dollars a month, without taxes, free tiers and discounts. */
export interface CostLine {
  readonly part: string;
  readonly usd: number;
  readonly how: string;
}

type PriceName = keyof typeof priceFile.prices;

const HOURS = priceFile.hoursAMonth;
const SECONDS = HOURS * 3_600;
const GB = 1e9;

function price(name: PriceName): number {
  return priceFile.prices[name].usd;
}

const RDS_HOURS: Readonly<Record<string, PriceName>> = {
  'db.m7g.large': 'rdsHourM7gLarge',
  'db.t4g.small': 'rdsHourT4gSmall',
};

/** Resource types that cost nothing themselves, with the reason. */
export const FREE_TYPES: Readonly<Record<string, string>> = {
  'AWS::ApplicationAutoScaling::ScalableTarget': 'free',
  'AWS::ApplicationAutoScaling::ScalingPolicy': 'free; its alarms are counted by AWS as alarms of the service',
  'AWS::CDK::Metadata': 'no resource',
  'AWS::CertificateManager::Certificate': 'public certificates are free',
  'AWS::EC2::EIP': 'priced as public addresses of the NAT gateways',
  'AWS::EC2::FlowLog': 'priced as logs',
  'AWS::EC2::InternetGateway': 'free; traffic is priced',
  'AWS::EC2::Route': 'free',
  'AWS::EC2::RouteTable': 'free',
  'AWS::EC2::SecurityGroup': 'free',
  'AWS::EC2::SecurityGroupEgress': 'free',
  'AWS::EC2::SecurityGroupIngress': 'free',
  'AWS::EC2::Subnet': 'free',
  'AWS::EC2::SubnetRouteTableAssociation': 'free',
  'AWS::EC2::VPC': 'free',
  'AWS::EC2::VPCGatewayAttachment': 'free',
  'AWS::EC2::VPCPeeringConnection': 'free; traffic between regions is priced',
  'AWS::ECS::TaskDefinition': 'priced as tasks of the service; a migration runs for minutes',
  'AWS::ElasticLoadBalancingV2::Listener': 'part of the load balancer',
  'AWS::ElasticLoadBalancingV2::TargetGroup': 'part of the load balancer',
  'AWS::IAM::Policy': 'free',
  'AWS::IAM::Role': 'free',
  'AWS::KMS::Alias': 'free',
  'AWS::Lambda::EventInvokeConfig': 'free',
  'AWS::Logs::LogGroup': 'priced as logs, by volume',
  'AWS::RDS::DBParameterGroup': 'free',
  'AWS::RDS::DBSubnetGroup': 'free',
  'AWS::Route53::RecordSet': 'alias queries are free; the hosted zone exists before',
  'AWS::S3::BucketPolicy': 'free',
  'AWS::SNS::Subscription': 'some e-mails a month',
  'AWS::SNS::Topic': 'some messages a month',
  'AWS::SNS::TopicPolicy': 'free',
  'AWS::SQS::Queue': 'empty in normal operation',
  'AWS::SQS::QueuePolicy': 'free',
  'AWS::SSM::Document': 'automation steps within the free hundred thousand',
  'AWS::Scheduler::Schedule': '43,800 starts a month are within the free fourteen million',
  'AWS::WAFv2::LoggingConfiguration': 'priced as logs, by volume',
};

/** Prefix of the resource types that the deployment makes itself: a function that runs for seconds at a deploy. */
const CUSTOM = 'Custom::';

/** Resource types that have a price below. */
export const PRICED_TYPES: ReadonlySet<string> = new Set([
  ...['AWS::CloudWatch::Alarm', 'AWS::CloudWatch::Dashboard', 'AWS::DynamoDB::GlobalTable', 'AWS::EC2::NatGateway'],
  ...['AWS::EC2::VPCEndpoint', 'AWS::ECS::Cluster', 'AWS::ECS::Service', 'AWS::ElasticLoadBalancingV2::LoadBalancer'],
  ...['AWS::KMS::Key', 'AWS::Lambda::Function', 'AWS::Logs::MetricFilter', 'AWS::RDS::DBInstance', 'AWS::S3::Bucket'],
  ...['AWS::Route53::HealthCheck', 'AWS::SecretsManager::Secret', 'AWS::WAFv2::WebACL'],
]);

/** Types of the stacks that have neither a price nor a reason. */
export function unpricedTypes(stacks: readonly StackResources[]): string[] {
  const types = new Set(stacks.flatMap((stack) => Object.values(stack).map(({ Type }) => Type)));
  return [...types]
    .filter((type) => !PRICED_TYPES.has(type) && !(type in FREE_TYPES) && !type.startsWith(CUSTOM))
    .sort();
}

/** What the stacks cost a month under a usage. @throws Error for an instance class or endpoint without a price */
export function monthlyCost(stacks: readonly StackResources[], usage: MonthlyUsage): CostLine[] {
  const all = stacks.flatMap((stack) => Object.values(stack));
  const of = (type: string): readonly PricedResource[] => all.filter(({ Type }) => Type === type);
  const requests = usage.requestsPerSecond * SECONDS;
  return [
    ...databases(of('AWS::RDS::DBInstance'), usage),
    servers(stacks),
    ...network(of, requests, usage),
    webAcls(of('AWS::WAFv2::WebACL'), requests),
    ...watching(of, requests, usage),
    ...rest(of, usage),
  ];
}

function databases(instances: readonly PricedResource[], usage: MonthlyUsage): CostLine[] {
  const primaryGB = Math.max(...instances.map(({ Properties }) => Number(Properties?.AllocatedStorage ?? 0)));
  let hours = 0;
  let storage = 0;
  for (const { Properties = {} } of instances) {
    const name = RDS_HOURS[String(Properties.DBInstanceClass)];
    if (name === undefined) throw new Error(`lib/cost/prices.json has no price for ${Properties.DBInstanceClass}`);
    const zones = Properties.MultiAZ === true ? 2 : 1;
    hours += price(name) * zones * HOURS;
    // A follower has the storage of its source.
    storage += primaryGB * zones * price('rdsStorageGB');
  }
  return [
    { part: 'RDS instances', usd: hours, how: `${instances.length} instances by class; Multi-AZ counts twice` },
    { part: 'RDS storage, gp3', usd: storage, how: `${primaryGB} GB an instance; Multi-AZ counts twice` },
    {
      part: 'RDS backups',
      usd: usage.backupGB * price('rdsBackupGB'),
      how: `${usage.backupGB} GB beyond the database`,
    },
  ];
}

function servers(stacks: readonly StackResources[]): CostLine {
  let usd = 0;
  let tasks = 0;
  for (const stack of stacks) {
    for (const { Type, Properties = {} } of Object.values(stack)) {
      if (Type !== 'AWS::ECS::Service') continue;
      const definition = stack[(Properties.TaskDefinition as { readonly Ref: string }).Ref]?.Properties ?? {};
      const target = Object.values(stack).find((other) => other.Type === 'AWS::ApplicationAutoScaling::ScalableTarget');
      const count = Number(Properties.DesiredCount ?? target?.Properties?.MinCapacity);
      const vcpu = Number(definition.Cpu) / 1_024;
      const memoryGB = Number(definition.Memory) / 1_024;
      usd += count * HOURS * (vcpu * price('fargateVcpuHour') + memoryGB * price('fargateGBHour'));
      tasks += count;
    }
  }
  return { part: 'Fargate, ARM', usd, how: `${tasks} tasks, the least that run` };
}

type OfType = (type: string) => readonly PricedResource[];

function network(of: OfType, requests: number, usage: MonthlyUsage): CostLine[] {
  const gateways = of('AWS::EC2::NatGateway').length;
  const balancers = of('AWS::ElasticLoadBalancingV2::LoadBalancer').length;
  // A load balancer has an address in each of its subnets; the stacks give it three.
  const addresses = gateways + 3 * balancers;
  const endpoints = of('AWS::EC2::VPCEndpoint').filter(({ Properties }) => Properties?.VpcEndpointType !== 'Gateway');
  if (endpoints.length > 0) throw new Error('lib/cost has no price for interface endpoints');
  const internetGB = (requests * usage.requestAndAnswerBytes) / 2 / GB;
  return [
    {
      part: 'NAT gateways',
      usd: gateways * HOURS * price('natHour') + usage.natGB * price('natGB'),
      how: `${gateways}, and ${usage.natGB} GB`,
    },
    { part: 'public IPv4 addresses', usd: addresses * HOURS * price('ipv4Hour'), how: `${addresses}` },
    {
      part: 'load balancers',
      usd: balancers * HOURS * (price('balancerHour') + price('balancerUnitHour')),
      how: `${balancers}, and one capacity unit each`,
    },
    {
      part: 'traffic',
      usd: usage.walGB * price('crossRegionGB') + internetGB * price('internetGB'),
      how: `${usage.walGB} GB of WAL between regions, ${Math.round(internetGB)} GB of answers`,
    },
  ];
}

function webAcls(acls: readonly PricedResource[], requests: number): CostLine {
  const rules = acls.reduce((sum, { Properties }) => sum + ((Properties?.Rules as readonly unknown[]) ?? []).length, 0);
  const usd =
    acls.length * price('webAcl') + rules * price('webAclRule') + (requests / 1e6) * price('webAclMillionRequests');
  return {
    part: 'WAF',
    usd,
    how: `${acls.length} web ACLs, ${rules} rules, ${Math.round(requests / 1e6)} million requests`,
  };
}

function watching(of: OfType, requests: number, usage: MonthlyUsage): CostLine[] {
  const alarms = of('AWS::CloudWatch::Alarm').reduce((sum, { Properties }) => {
    const metrics = ((Properties?.Metrics ?? []) as readonly { readonly MetricStat?: unknown }[]).filter(
      (metric) => metric.MetricStat,
    );
    return sum + Math.max(1, metrics.length);
  }, 0);
  const dashboards = Math.max(0, of('AWS::CloudWatch::Dashboard').length - 3);
  const metrics =
    of('AWS::Logs::MetricFilter').length + usage.containerInsightsMetrics * of('AWS::ECS::Cluster').length;
  const aclLogGB = (requests * usage.webAclLoggedShare * usage.webAclRecordBytes) / GB;
  const logGB = usage.serverLogGB + usage.databaseLogGB + usage.controllerLogGB + usage.flowLogGB;
  const perGB = price('logIngestGB') + price('logStoreGB');
  const accessLogGB = (requests * usage.accessLogRecordBytes) / GB;
  return [
    {
      part: 'alarms and dashboards',
      usd: alarms * price('alarm') + dashboards * price('dashboard'),
      how: `${alarms} alarm metrics`,
    },
    { part: 'custom metrics', usd: metrics * price('customMetric'), how: `${metrics}, Container Insights included` },
    { part: 'logs of servers, databases, controller, network', usd: logGB * perGB, how: `${logGB} GB` },
    { part: 'logs of the web ACLs', usd: aclLogGB * perGB, how: `${Math.round(aclLogGB)} GB` },
    {
      part: 'access logs in S3',
      usd: accessLogGB * 3 * price('s3GB'),
      how: `${Math.round(accessLogGB)} GB a month, kept for 90 days`,
    },
  ];
}

function rest(of: OfType, usage: MonthlyUsage): CostLine[] {
  const controllers = of('AWS::Lambda::Function').filter(({ Properties }) =>
    String(Properties?.FunctionName).endsWith('-failover'),
  );
  const gbSeconds = controllers.reduce(
    (sum, { Properties }) =>
      sum + (Number(Properties?.MemorySize) / 1_024) * usage.controllerSecondsPerMinute * 60 * HOURS,
    0,
  );
  const replicas = of('AWS::DynamoDB::GlobalTable').reduce(
    (sum, { Properties }) => sum + ((Properties?.Replicas as readonly unknown[]) ?? []).length,
    0,
  );
  const writes = usage.authorityWritesPerSecond * SECONDS * replicas;
  const secrets = of('AWS::SecretsManager::Secret').reduce(
    (sum, { Properties }) => sum + 1 + ((Properties?.ReplicaRegions as readonly unknown[]) ?? []).length,
    0,
  );
  const keys = of('AWS::KMS::Key').length;
  // A basic check, and a surcharge each for HTTPS and for the fast interval.
  const checks = of('AWS::Route53::HealthCheck').length * 3;
  return [
    {
      part: 'Lambda, the controller',
      usd: gbSeconds * price('lambdaGBSecond'),
      how: `${Math.round(gbSeconds / 1_000)} thousand GB-seconds`,
    },
    {
      part: 'DynamoDB',
      usd: (writes / 1e6) * price('dynamodbMillionWrites'),
      how: `${(writes / 1e6).toFixed(1)} million writes`,
    },
    {
      part: 'KMS, Secrets Manager, Route 53',
      usd: keys * price('kmsKey') + secrets * price('secret') + checks * price('healthCheck'),
      how: `${keys} keys, ${secrets} secrets and replicas, a health check with HTTPS and the fast interval`,
    },
  ];
}
