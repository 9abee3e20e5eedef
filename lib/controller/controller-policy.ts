import { AWS_REGION_OF } from '@evergrant/controller/aws/resource-names';
import { METRIC_NAMESPACE } from '@evergrant/controller/aws/telemetry-names';
import { REGIONS, type Region } from '@evergrant/core/regions';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { authorityTableArn, underKeys } from '../authority/authority-table';
import type { WildcardReasons } from '../config/justified-wildcards';
import type { RegionContext } from '../config/region-context';
import { POSTGRES_FAMILY } from '../database/database-foundation';
import {
  ASSOCIATION_ACTIONS,
  type EdgeArns,
  SET_WEB_ACL_REASON,
  setWebAclStatement,
} from '../edge/association-actions';
import { publicRecordStatements } from '../edge/public-record-policy';
import { secretArnPattern } from '../secrets/deployment-secrets';

/** The reason for each statement with a wildcard, by sid. */
export const CONTROLLER_WILDCARDS: WildcardReasons = {
  WebAclsOfOregon:
    'the ARNs of web ACLs and load balancers end in an identifier that AWS chooses; this stack knows only those of its region',
  SetWebAcl: SET_WEB_ACL_REASON,
  Secret: "a secret's ARN ends in six characters that AWS chooses",
  DatabasesKeptAside: 'the name of an archived database contains a timestamp',
  FollowerMakingInOregon:
    'AWS chooses the identifiers of keys; the alias in the condition restricts the statement to one key',
  FollowerGrantInOregon:
    'AWS chooses the identifiers of keys; the alias in the condition restricts the statement to one key',
  RouteChange: 'Route 53 chooses the identifier of a change',
  HeartbeatInOregon: 'PutMetricData has no resource types; the condition restricts it to one namespace',
};

/** Resources of the controller's region, as its stack knows them. */
export interface ControllerResources {
  readonly alertTopicArn: string;
  readonly healthCheckId: string;
  readonly databaseKeyArn: string;
  readonly edge: EdgeArns;
}

/** The permissions of the controller, except for its log. Each statement names its resources. */
export function controllerStatements(context: RegionContext, own: ControllerResources): PolicyStatement[] {
  return [
    ...authority(context),
    ...webAcls(context, own.edge),
    ...edge(context, own),
    ...databases(context),
    ...followerMaking(context, own.databaseKeyArn),
  ];
}

function authority({ config, names, awsRegion }: RegionContext): PolicyStatement[] {
  const resources = [authorityTableArn(config, awsRegion)];
  return [
    new PolicyStatement({
      sid: 'ReadAuthority',
      actions: ['dynamodb:GetItem'],
      resources,
      conditions: underKeys('authority', 'control', 'region'),
    }),
    new PolicyStatement({
      sid: 'Authority',
      actions: ['dynamodb:UpdateItem'],
      resources,
      conditions: underKeys('authority', 'control'),
    }),
    new PolicyStatement({
      sid: 'History',
      actions: ['dynamodb:Query', 'dynamodb:BatchWriteItem'],
      resources,
      conditions: underKeys('history'),
    }),
    new PolicyStatement({
      sid: 'Secret',
      actions: ['secretsmanager:GetSecretValue'],
      resources: [secretArnPattern(awsRegion, config.account, names.secrets.controller)],
    }),
  ];
}

function webAcls({ config, names, other }: RegionContext, own: EdgeArns): PolicyStatement[] {
  const there = `${AWS_REGION_OF[other]}:${config.account}`;
  return [
    new PolicyStatement({ sid: 'WebAcls', actions: [...ASSOCIATION_ACTIONS], resources: Object.values(own) }),
    new PolicyStatement({
      sid: 'WebAclsOfOregon',
      actions: [...ASSOCIATION_ACTIONS],
      resources: [
        `arn:aws:wafv2:${there}:regional/webacl/${names.serveAcl}/*`,
        `arn:aws:wafv2:${there}:regional/webacl/${names.fenceAcl}/*`,
        `arn:aws:elasticloadbalancing:${there}:loadbalancer/app/${names.loadBalancer}/*`,
      ],
    }),
    setWebAclStatement(),
  ];
}

function edge({ config }: RegionContext, { alertTopicArn, healthCheckId }: ControllerResources): PolicyStatement[] {
  return [
    ...publicRecordStatements(config, 'UPSERT'),
    new PolicyStatement({
      sid: 'RouteChange',
      actions: ['route53:GetChange'],
      resources: ['arn:aws:route53:::change/*'],
    }),
    new PolicyStatement({
      sid: 'Witness',
      actions: ['route53:GetHealthCheckStatus'],
      resources: [`arn:aws:route53:::healthcheck/${healthCheckId}`],
    }),
    new PolicyStatement({
      sid: 'HeartbeatInOregon',
      actions: ['cloudwatch:PutMetricData'],
      resources: ['*'],
      conditions: { StringEquals: { 'cloudwatch:namespace': METRIC_NAMESPACE } },
    }),
    new PolicyStatement({ sid: 'Alerts', actions: ['sns:Publish'], resources: [alertTopicArn] }),
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
        'rds:AddTagsToResource',
        'rds:RebootDBInstance',
      ],
      resources: REGIONS.flatMap((region) => [
        rds(region, `db:${names.databases[region]}`),
        rds(region, `subgrp:${names.databaseSubnets}`),
        rds(region, `pg:${names.databaseParameters}`),
        // A database without an explicit option group has this one, and creating a follower needs permission for it.
        rds(region, `og:default:${POSTGRES_FAMILY.replace('postgres', 'postgres-')}`),
      ]),
    }),
    new PolicyStatement({
      sid: 'DatabaseMonitoringRoles',
      actions: ['iam:PassRole'],
      resources: REGIONS.map((region) => `arn:aws:iam::${account}:role/${names.databaseMonitoringRoles[region]}`),
      conditions: { StringEquals: { 'iam:PassedToService': 'monitoring.rds.amazonaws.com' } },
    }),
    new PolicyStatement({
      sid: 'DatabasesKeptAside',
      actions: ['rds:ModifyDBInstance'],
      resources: REGIONS.flatMap((region) => [
        rds(region, `db:${names.databases[region]}-kept-*`),
        rds(region, `db:${names.databases[region]}-failed-*`),
      ]),
    }),
  ];
}

/** What RDS does with a region's key, for us, when it makes a follower there. */
function followerMaking({ config, names, awsRegion, other }: RegionContext, ownKeyArn: string): PolicyStatement[] {
  const use = (sid: string, keyArn: string, region: string, alias: object): PolicyStatement[] => {
    const viaRds = { 'kms:ViaService': `rds.${region}.amazonaws.com` };
    return [
      new PolicyStatement({
        sid: `FollowerMaking${sid}`,
        actions: ['kms:DescribeKey', 'kms:Decrypt', 'kms:GenerateDataKey', 'kms:ReEncryptFrom', 'kms:ReEncryptTo'],
        resources: [keyArn],
        conditions: { ...alias, StringEquals: viaRds },
      }),
      new PolicyStatement({
        sid: `FollowerGrant${sid}`,
        actions: ['kms:CreateGrant'],
        resources: [keyArn],
        conditions: { ...alias, StringEquals: viaRds, Bool: { 'kms:GrantIsForAWSResource': 'true' } },
      }),
    ];
  };
  const there = AWS_REGION_OF[other];
  return [
    ...use('', ownKeyArn, awsRegion, {}),
    ...use('InOregon', `arn:aws:kms:${there}:${config.account}:key/*`, there, {
      'ForAnyValue:StringEquals': { 'kms:ResourceAliases': [names.databaseKeyAlias] },
    }),
  ];
}
