import { CfnRecordSet, type IHostedZone, PublicHostedZone } from 'aws-cdk-lib/aws-route53';
import { Construct } from 'constructs';
import type { RegionContext } from '../config/region-context';
import type { LoadBalancer } from '../service/load-balancer';

/** The zone, by what the configuration says of it; nothing is looked up. */
export function publicZone(scope: Construct, { config }: RegionContext): IHostedZone {
  const { hostedZoneId, zoneName } = config.domain;
  return PublicHostedZone.fromHostedZoneAttributes(scope, 'Zone', { hostedZoneId, zoneName });
}

/** `oregon.licenses.example.com`: one region, whichever is active. The public record leads to one of the two. */
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
        // No health decides here: a fenced region answers, and says where to go.
        evaluateTargetHealth: false,
      },
    });
  }
}
