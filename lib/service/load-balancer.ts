import { RemovalPolicy } from 'aws-cdk-lib';
import { Certificate, CertificateValidation } from 'aws-cdk-lib/aws-certificatemanager';
import { type ISecurityGroup, Peer, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import {
  ApplicationListener,
  ApplicationLoadBalancer,
  ApplicationProtocol,
  ApplicationTargetGroup,
  DesyncMitigationMode,
  SslPolicy,
  TargetType,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import type { IHostedZone } from 'aws-cdk-lib/aws-route53';
import { BlockPublicAccess, Bucket, BucketEncryption, type IBucket } from 'aws-cdk-lib/aws-s3';
import { Duration } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { acknowledge } from '../config/acknowledged';
import type { RegionContext } from '../config/region-context';
import type { RegionNetwork } from '../network/region-network';

export const SERVER_PORT = 8080;

export interface LoadBalancerProps {
  readonly context: RegionContext;
  readonly network: RegionNetwork;
  readonly zone: IHostedZone;
}

/** The router of a region: terminates TLS and forwards to the healthy servers. The health check `/livez` needs no database. */
export class LoadBalancer extends Construct {
  readonly balancer: ApplicationLoadBalancer;
  readonly listener: ApplicationListener;
  readonly targets: ApplicationTargetGroup;
  readonly certificate: Certificate;
  readonly securityGroup: ISecurityGroup;

  constructor(scope: Construct, id: string, { context, network, zone }: LoadBalancerProps) {
    super(scope, id);
    const { names, config, regionalName } = context;
    this.certificate = new Certificate(this, 'Certificate', {
      domainName: config.domain.publicName,
      subjectAlternativeNames: [regionalName],
      validation: CertificateValidation.fromDns(zone),
    });
    this.securityGroup = this.#securityGroup(network);
    this.balancer = new ApplicationLoadBalancer(this, 'Balancer', {
      loadBalancerName: names.loadBalancer,
      vpc: network.vpc,
      internetFacing: true,
      securityGroup: this.securityGroup,
      deletionProtection: true,
      dropInvalidHeaderFields: true,
      desyncMitigationMode: DesyncMitigationMode.STRICTEST,
      // Longer than the keep-alive interval of a WebSocket session.
      idleTimeout: Duration.seconds(120),
    });
    // Without an answer of WAF, requests are blocked, so a WAF outage cannot open a fence.
    this.balancer.setAttribute('waf.fail_open.enabled', 'false');
    this.balancer.logAccessLogs(this.#logBucket(context) as IBucket, 'balancer');
    this.targets = new ApplicationTargetGroup(this, 'Servers', {
      vpc: network.vpc,
      targetType: TargetType.IP,
      protocol: ApplicationProtocol.HTTP,
      port: SERVER_PORT,
      deregistrationDelay: Duration.seconds(20),
      healthCheck: {
        path: '/livez',
        interval: Duration.seconds(5),
        timeout: Duration.seconds(3),
        healthyThresholdCount: 2,
      },
    });
    this.listener = new ApplicationListener(this, 'Https', {
      loadBalancer: this.balancer,
      port: 443,
      protocol: ApplicationProtocol.HTTPS,
      certificates: [this.certificate],
      sslPolicy: SslPolicy.TLS13_RES,
      defaultTargetGroups: [this.targets],
      open: false,
    });
  }

  #securityGroup(network: RegionNetwork): SecurityGroup {
    const group = new SecurityGroup(this, 'SecurityGroup', {
      vpc: network.vpc,
      description: 'the load balancer',
      allowAllOutbound: false,
    });
    group.addIngressRule(Peer.anyIpv4(), Port.tcp(443), 'Control Rooms connect from any address');
    acknowledge(group, {
      'AwsSolutions-EC23': 'The service is public: Control Rooms worldwide call it through the web ACL.',
    });
    return group;
  }

  #logBucket({ config }: RegionContext): Bucket {
    const bucket = new Bucket(this, 'AccessLogs', {
      // Access logs support only this encryption.
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      versioned: true,
      lifecycleRules: [
        { expiration: Duration.days(config.logRetentionDays), noncurrentVersionExpiration: Duration.days(1) },
      ],
      removalPolicy: RemovalPolicy.RETAIN,
    });
    const reason = 'The bucket itself receives the access logs.';
    acknowledge(bucket, { 'AwsSolutions-S1': reason, CKV_AWS_18: reason });
    return bucket;
  }
}
