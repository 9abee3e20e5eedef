import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { WildcardReasons } from '../config/reasoned-grant';
import type { RegionContext } from '../config/region-context';
import { ASSOCIATION_ACTIONS } from '../edge/association-actions';
import { secretArnPattern } from '../secrets/deployment-secrets';

/** A wildcard in a statement, and why it must be there. */
export const SETUP_WILDCARDS: WildcardReasons = {
  WebAcls: 'web ACLs and load balancers end in an identifier that AWS chooses when it makes them',
};

/** What a region's setup may do, once: associate a web ACL where there is none. */
export function setupStatements({ config, names, awsRegion }: RegionContext): PolicyStatement[] {
  const { account } = config;
  return [
    new PolicyStatement({
      sid: 'WebAcls',
      actions: [...ASSOCIATION_ACTIONS],
      resources: [
        `arn:aws:wafv2:${awsRegion}:${account}:regional/webacl/${names.serveAcl}/*`,
        `arn:aws:wafv2:${awsRegion}:${account}:regional/webacl/${names.fenceAcl}/*`,
        `arn:aws:elasticloadbalancing:${awsRegion}:${account}:loadbalancer/app/${names.loadBalancer}/*`,
      ],
    }),
  ];
}

/** What only Oregon's setup does: the first public record, and the key that signs lease tokens. */
export function primarySetupStatements({ config, names, awsRegion }: RegionContext): PolicyStatement[] {
  return [
    new PolicyStatement({
      sid: 'PublicRecord',
      actions: ['route53:ChangeResourceRecordSets', 'route53:ListResourceRecordSets'],
      resources: [`arn:aws:route53:::hostedzone/${config.domain.hostedZoneId}`],
    }),
    new PolicyStatement({
      sid: 'SigningKeys',
      actions: ['secretsmanager:GetSecretValue', 'secretsmanager:PutSecretValue'],
      resources: [secretArnPattern(awsRegion, config.account, names.secrets.server)],
    }),
  ];
}
