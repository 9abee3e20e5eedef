import { AWS_REGION_OF } from '@evergrant/controller/aws/resource-names';
import { CfnRoute, CfnVPCPeeringConnection } from 'aws-cdk-lib/aws-ec2';
import { Fn } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { DeploymentConfig } from '../config/deployment-config';
import type { Setup } from '../setup/setup';

/** Name under which the peering is registered in the authority table. */
const PEERING = 'peering';
/** Each region has three database subnets and three server subnets, and each subnet has a separate route table. */
const ROUTE_TABLES = 3;

/**
 * The requester in Virginia: the VPC peering over which the controller reaches Oregon's database, and the routes to
 * Oregon. The resource registry of the regions is read once, when the peering is created.
 */
export class PeeringRequester extends Construct {
  constructor(scope: Construct, id: string, { config, setup }: { config: DeploymentConfig; setup: Setup }) {
    super(scope, id);
    const oregon = setup.resource('Oregon', 'lookup', { name: 'oregon', wanted: 'vpcId' });
    const virginia = setup.resource('Virginia', 'lookup', { name: 'virginia', wanted: 'vpcId,serverRouteTableIds' });
    const peering = new CfnVPCPeeringConnection(this, 'Peering', {
      vpcId: virginia.getAttString('vpcId'),
      peerVpcId: oregon.getAttString('vpcId'),
      peerRegion: AWS_REGION_OF.oregon,
      tags: [{ key: 'Name', value: `${config.deployment}: controller to Oregon's database` }],
    });
    routes(this, {
      routeTableIds: virginia.getAttString('serverRouteTableIds'),
      to: config.network.oregon.cidr,
      peeringId: peering.attrId,
    });
    setup.resource('Peering', 'introduction', { name: PEERING, peeringId: peering.attrId });
  }
}

/** The accepter in Oregon: the return routes from the database subnets. */
export class PeeringAccepter extends Construct {
  constructor(scope: Construct, id: string, { config, setup }: { config: DeploymentConfig; setup: Setup }) {
    super(scope, id);
    const oregon = setup.resource('Oregon', 'lookup', { name: 'oregon', wanted: 'databaseRouteTableIds' });
    const peering = setup.resource('Peering', 'lookup', { name: PEERING, wanted: 'peeringId' });
    routes(this, {
      routeTableIds: oregon.getAttString('databaseRouteTableIds'),
      to: config.network.virginia.cidr,
      peeringId: peering.getAttString('peeringId'),
    });
  }
}

function routes(
  scope: Construct,
  { routeTableIds, to, peeringId }: { routeTableIds: string; to: string; peeringId: string },
): void {
  for (let index = 0; index < ROUTE_TABLES; index += 1) {
    new CfnRoute(scope, `Route${index + 1}`, {
      routeTableId: Fn.select(index, Fn.split(',', routeTableIds, ROUTE_TABLES)),
      destinationCidrBlock: to,
      vpcPeeringConnectionId: peeringId,
    });
  }
}
