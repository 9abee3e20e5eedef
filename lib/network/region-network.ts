import { RemovalPolicy } from 'aws-cdk-lib';
import {
  FlowLogDestination,
  FlowLogTrafficType,
  GatewayVpcEndpointAwsService,
  IpAddresses,
  type ISubnet,
  type IVpc,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { acknowledge } from '../config/acknowledged';
import type { RegionContext } from '../config/region-context';

export interface RegionNetworkProps {
  readonly context: RegionContext;
  readonly logKey: IKey;
}

/**
 * A region's network over three zones: public subnets for the load balancer, private subnets with egress for servers and
 * controller, and isolated subnets for the database. The configuration names the zones, so synthesis needs no lookup.
 */
export class RegionNetwork extends Construct {
  readonly vpc: IVpc;

  constructor(scope: Construct, id: string, { context, logKey }: RegionNetworkProps) {
    super(scope, id);
    const { cidr, availabilityZones, natGateways } = context.config.network[context.region];
    const vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr(cidr),
      availabilityZones: [...availabilityZones],
      natGateways,
      subnetConfiguration: [
        { name: 'public', subnetType: SubnetType.PUBLIC, cidrMask: 24, mapPublicIpOnLaunch: false },
        { name: 'servers', subnetType: SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 20 },
        { name: 'database', subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 24 },
      ],
    });
    acknowledge(vpc, {
      'CloudFormation-Validate::W3010':
        'The configuration names the zones. A lookup in the account would need credentials to synthesize.',
    });
    // The library's class and interface differ in an optional member only.
    this.vpc = vpc as IVpc;
    // Gateway endpoints are free and keep DynamoDB and S3 traffic off the NAT gateways.
    vpc.addGatewayEndpoint('DynamoDb', { service: GatewayVpcEndpointAwsService.DYNAMODB });
    vpc.addGatewayEndpoint('S3', { service: GatewayVpcEndpointAwsService.S3 });
    vpc.addFlowLog('Refused', {
      trafficType: FlowLogTrafficType.REJECT,
      destination: FlowLogDestination.toCloudWatchLogs(
        new LogGroup(this, 'FlowLog', {
          retention: context.config.logRetentionDays,
          encryptionKey: logKey,
          removalPolicy: RemovalPolicy.DESTROY,
        }),
      ),
    });
  }

  get databaseSubnets(): readonly ISubnet[] {
    return this.vpc.isolatedSubnets;
  }

  get serverSubnets(): readonly ISubnet[] {
    return this.vpc.privateSubnets;
  }
}
