import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { DeploymentConfig } from '../config/deployment-config';

/** Permissions to read the zone and to change its public record with one action. Other records of the zone are excluded. */
export function publicRecordStatements({ domain }: DeploymentConfig, action: 'CREATE' | 'UPSERT'): PolicyStatement[] {
  const resources = [`arn:aws:route53:::hostedzone/${domain.hostedZoneId}`];
  return [
    new PolicyStatement({
      sid: 'PublicRecord',
      actions: ['route53:ChangeResourceRecordSets'],
      resources,
      conditions: {
        'ForAllValues:StringEquals': {
          'route53:ChangeResourceRecordSetsNormalizedRecordNames': [domain.publicName],
          'route53:ChangeResourceRecordSetsRecordTypes': ['A'],
          'route53:ChangeResourceRecordSetsActions': [action],
        },
      },
    }),
    new PolicyStatement({ sid: 'PublicRecords', actions: ['route53:ListResourceRecordSets'], resources }),
  ];
}
