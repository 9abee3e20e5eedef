import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { AWS_REGION_OF } from '../../lambda/failover/aws/deployment';
import { REGIONS, type Region } from '../../lambda/failover/core/regions';
import { METRIC_NAMESPACE } from '../../lambda/failover/telemetry-names';
import { authorityTableArn } from '../authority/authority-table';
import type { WildcardReasons } from '../config/reasoned-grant';
import type { RegionContext } from '../config/region-context';
import { POSTGRES_FAMILY } from '../database/database-foundation';
import { ASSOCIATION_ACTIONS } from '../edge/association-actions';
import { secretArnPattern } from '../secrets/deployment-secrets';

/** A wildcard in a statement, and why it must be there. */
export const CONTROLLER_WILDCARDS: WildcardReasons = {
  WebAcls: 'web ACLs and load balancers end in an identifier that AWS chooses when it makes them',
  Secret: "a secret's ARN ends in six characters that AWS chooses",
  DatabasesKeptAside: 'a database kept aside carries the time in its name',
  FollowerMaking:
    'the keys and groups of a region are named by identifiers that AWS chooses; a tag or an alias narrows them',
  RouteChange: 'the identifier of a change is chosen by Route 53',
  HeartbeatInOregon: 'writing metrics knows no resources; the condition leaves it one namespace',
  Witness: 'the identifier of a health check is chosen by Route 53; looking at one tells only whether it is healthy',
};

/** All that the controller may do beside writing its log: each statement names what it touches. */
export function controllerStatements(context: RegionContext, topicArn: string): PolicyStatement[] {
  return [...authority(context), ...edge(context, topicArn), ...databases(context)];
}

function authority({ config, names, awsRegion }: RegionContext): PolicyStatement[] {
  return [
    new PolicyStatement({
      sid: 'Authority',
      actions: ['dynamodb:GetItem', 'dynamodb:UpdateItem', 'dynamodb:Query', 'dynamodb:BatchWriteItem'],
      resources: [authorityTableArn(config, awsRegion)],
    }),
    new PolicyStatement({
      sid: 'Secret',
      actions: ['secretsmanager:GetSecretValue'],
      resources: [secretArnPattern(awsRegion, config.account, names.secrets.controller)],
    }),
  ];
}

function edge({ config, names }: RegionContext, topicArn: string): PolicyStatement[] {
  const { account, domain } = config;
  const inRegion = (region: Region): string[] => [
    `arn:aws:wafv2:${AWS_REGION_OF[region]}:${account}:regional/webacl/${names.serveAcl}/*`,
    `arn:aws:wafv2:${AWS_REGION_OF[region]}:${account}:regional/webacl/${names.fenceAcl}/*`,
    `arn:aws:elasticloadbalancing:${AWS_REGION_OF[region]}:${account}:loadbalancer/app/${names.loadBalancer}/*`,
  ];
  return [
    new PolicyStatement({
      sid: 'WebAcls',
      actions: [...ASSOCIATION_ACTIONS],
      resources: REGIONS.flatMap(inRegion),
    }),
    new PolicyStatement({
      sid: 'PublicRecord',
      actions: ['route53:ChangeResourceRecordSets', 'route53:ListResourceRecordSets'],
      resources: [`arn:aws:route53:::hostedzone/${domain.hostedZoneId}`],
    }),
    new PolicyStatement({
      sid: 'RouteChange',
      actions: ['route53:GetChange'],
      resources: ['arn:aws:route53:::change/*'],
    }),
    new PolicyStatement({
      sid: 'Witness',
      actions: ['route53:GetHealthCheckStatus'],
      resources: ['arn:aws:route53:::healthcheck/*'],
    }),
    new PolicyStatement({
      sid: 'HeartbeatInOregon',
      actions: ['cloudwatch:PutMetricData'],
      resources: ['*'],
      conditions: { StringEquals: { 'cloudwatch:namespace': METRIC_NAMESPACE } },
    }),
    new PolicyStatement({ sid: 'Alerts', actions: ['sns:Publish'], resources: [topicArn] }),
  ];
}

function databases({ config, names }: RegionContext): PolicyStatement[] {
  const { account } = config;
  const rds = (region: Region, resource: string): string =>
    `arn:aws:rds:${AWS_REGION_OF[region]}:${account}:${resource}`;
  return [
    new PolicyStatement({
      sid: 'Databases',
      actions: [
        'rds:DescribeDBInstances',
        'rds:PromoteReadReplica',
        'rds:ModifyDBInstance',
        'rds:CreateDBInstanceReadReplica',
      ],
      resources: REGIONS.flatMap((region) => [
        rds(region, `db:${names.databases[region]}`),
        rds(region, `subgrp:${names.databaseSubnets}`),
        rds(region, `pg:${names.databaseParameters}`),
        // A database that names no option group has this one, and making a follower asks for it too.
        rds(region, `og:default:${POSTGRES_FAMILY.replace('postgres', 'postgres-')}`),
      ]),
    }),
    new PolicyStatement({
      sid: 'DatabasesKeptAside',
      actions: ['rds:ModifyDBInstance'],
      resources: REGIONS.flatMap((region) => [
        rds(region, `db:${names.databases[region]}-kept-*`),
        rds(region, `db:${names.databases[region]}-failed-*`),
      ]),
    }),
    new PolicyStatement({
      sid: 'FollowerMaking',
      actions: [
        'kms:CreateGrant',
        'kms:DescribeKey',
        'kms:Decrypt',
        'kms:GenerateDataKey',
        'kms:ReEncryptFrom',
        'kms:ReEncryptTo',
      ],
      resources: REGIONS.map((region) => `arn:aws:kms:${AWS_REGION_OF[region]}:${account}:key/*`),
      conditions: {
        'ForAnyValue:StringEquals': { 'kms:ResourceAliases': [names.databaseKeyAlias] },
        StringLike: { 'kms:ViaService': 'rds.*.amazonaws.com' },
      },
    }),
  ];
}
