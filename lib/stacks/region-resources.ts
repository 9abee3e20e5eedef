import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { IHostedZone } from 'aws-cdk-lib/aws-route53';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { AlertsTopic } from '../alarms/alerts-topic';
import { RegionAlarms } from '../alarms/region-alarms';
import type { RegionContext } from '../config/region-context';
import { RegionDashboard } from '../dashboards/region-dashboard';
import { DatabaseFoundation, POSTGRES_PORT } from '../database/database-foundation';
import { RegionDatabase } from '../database/license-database';
import type { EdgeArns } from '../edge/association-actions';
import { publicZone, RegionalAddress } from '../edge/regional-address';
import { WebAclPair } from '../edge/web-acls';
import { RegionNetwork } from '../network/region-network';
import type { DeploymentSecrets } from '../secrets/deployment-secrets';
import { RegionKeys } from '../secrets/region-keys';
import { LicenseService } from '../service/license-service';
import { LoadBalancer } from '../service/load-balancer';
import { Setup } from '../setup/setup';
import { associationStatements } from '../setup/setup-policy';
import { RegionOutputs } from './region-outputs';

/** The resources that both regions have. */
export class RegionResources {
  readonly keys: RegionKeys;
  readonly network: RegionNetwork;
  readonly foundation: DatabaseFoundation;
  readonly database: RegionDatabase;
  readonly service: LicenseService;
  readonly address: RegionalAddress;
  readonly topic: ITopic;
  readonly setup: Setup;
  readonly edge: EdgeArns;
  readonly #zone: IHostedZone;

  constructor(
    scope: Construct,
    context: RegionContext,
    secrets: DeploymentSecrets,
    setupStatements: readonly PolicyStatement[] = [],
  ) {
    this.#zone = publicZone(scope, context);
    this.keys = new RegionKeys(scope, 'Keys', context);
    const logKey = this.keys.telemetry;
    this.network = new RegionNetwork(scope, 'Network', { context, logKey });
    this.foundation = new DatabaseFoundation(scope, 'DatabaseFoundation', { context, network: this.network });
    this.database = new RegionDatabase(scope, 'LicenseDatabase', {
      context,
      foundation: this.foundation,
      key: this.keys.database,
      owner: secrets.owner,
    });
    const { network, foundation, database } = this;
    const loadBalancer = new LoadBalancer(scope, 'LoadBalancer', { context, network, zone: this.#zone });
    this.service = new LicenseService(scope, 'LicenseService', {
      ...{ context, network, loadBalancer, database, foundation, secrets, logKey },
    });
    const acls = new WebAclPair(scope, 'Edge', { context, logKey });
    this.address = new RegionalAddress(scope, 'Address', { context, balancer: loadBalancer.balancer });
    this.topic = new AlertsTopic(scope, 'Alerts', { context, key: logKey }).topic as ITopic;
    const { topic, service } = this;
    const alarms = new RegionAlarms(scope, 'Alarms', { context, topic, loadBalancer, service });
    new RegionDashboard(scope, 'Dashboards', { context, alarms, loadBalancer });
    this.edge = {
      loadBalancerArn: loadBalancer.balancer.loadBalancerArn,
      serveAclArn: acls.serve.attrArn,
      fenceAclArn: acls.fence.attrArn,
    };
    new RegionOutputs(scope, 'Outputs', { network, service });
    this.setup = new Setup(scope, 'Setup', {
      config: context.config,
      awsRegion: context.awsRegion,
      stack: context.region,
      statements: [...associationStatements(this.edge), ...setupStatements],
    });
    this.#publishResources(context);
  }

  #publishResources({ region }: RegionContext): void {
    const { edge } = this;
    const { vpc, databaseSubnets, serverSubnets } = this.network;
    const tables = (subnets: typeof databaseSubnets): string =>
      subnets.map(({ routeTable }) => routeTable.routeTableId).join(',');
    this.setup.resource('Introduction', 'introduction', {
      name: region,
      ...edge,
      databaseHost: this.database.host,
      databasePort: String(POSTGRES_PORT),
      databaseSecurityGroupId: this.foundation.securityGroup.securityGroupId,
      databaseKeyArn: this.keys.database.keyArn,
      vpcId: vpc.vpcId,
      databaseRouteTableIds: tables(databaseSubnets),
      serverRouteTableIds: tables(serverSubnets),
    });
    this.setup.resource('Association', 'association', { region, ...edge });
  }
}
