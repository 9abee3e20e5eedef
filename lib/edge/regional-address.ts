import { CfnRecordSet, type IHostedZone, PublicHostedZone } from 'aws-cdk-lib/aws-route53';
import { Construct } from 'constructs';
import type { RegionContext } from '../config/region-context';
import type { LoadBalancer } from '../service/load-balancer';

/** The hosted zone from the configuration, without a lookup in the account. */
export function publicZone(scope: Construct, { config }: RegionContext): IHostedZone {
  const { hostedZoneId, zoneName } = config.domain;
  return PublicHostedZone.fromHostedZoneAttributes(scope, 'Zone', { hostedZoneId, zoneName });
}

/** The record of one region, `oregon.licenses.example.com`. The public record is an alias of one of the two. */
export class RegionalAddress extends Construct {
  constructor(
    scope: Construct,
    id: string,
    { context, balancer }: { context: RegionContext; balancer: LoadBalancer['balancer'] },
  ) {
    super(scope, id);
    new CfnRecordSet(this, 'Record', {
      hostedZoneId: context.config.domain.hostedZoneId,
      name: context.regionalName,
      type: 'A',
      aliasTarget: {
        dnsName: balancer.loadBalancerDnsName,
        hostedZoneId: balancer.loadBalancerCanonicalHostedZoneId,
        // Health checks must not change this record: a fenced region answers with the address of the active region.
        evaluateTargetHealth: false,
      },
    });
  }
}
