import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { authorityTableArn, underKeys } from '../authority/authority-table';
import type { DeploymentConfig } from '../config/deployment-config';
import type { WildcardReasons } from '../config/justified-wildcards';
import {
  ASSOCIATION_ACTIONS,
  type EdgeArns,
  SET_WEB_ACL_REASON,
  setWebAclStatement,
} from '../edge/association-actions';
import { publicRecordStatements } from '../edge/public-record-policy';

/** A wildcard in a setup statement, and why it must be there. */
export const SETUP_WILDCARDS: WildcardReasons = { SetWebAcl: SET_WEB_ACL_REASON };

/** Permissions of every setup function on the authority table: read the authority record, read and publish region resources. */
export function introductionStatements(config: DeploymentConfig, awsRegion: string): PolicyStatement[] {
  const resources = [authorityTableArn(config, awsRegion)];
  return [
    new PolicyStatement({
      sid: 'ReadAuthority',
      actions: ['dynamodb:GetItem'],
      resources,
      conditions: underKeys('authority', 'region'),
    }),
    new PolicyStatement({
      sid: 'RegionResources',
      actions: ['dynamodb:UpdateItem'],
      resources,
      conditions: underKeys('region'),
    }),
  ];
}

/** Permissions of the authority stack's setup function: create the first epoch and the empty control record. */
export function seedStatements(config: DeploymentConfig, awsRegion: string): PolicyStatement[] {
  return [
    new PolicyStatement({
      sid: 'Seed',
      actions: ['dynamodb:PutItem'],
      resources: [authorityTableArn(config, awsRegion)],
      conditions: underKeys('authority', 'control'),
    }),
  ];
}

/** Permissions of a region's setup function: associate a web ACL when none is associated. */
export function associationStatements(edge: EdgeArns): PolicyStatement[] {
  return [
    new PolicyStatement({ sid: 'WebAcls', actions: [...ASSOCIATION_ACTIONS], resources: Object.values(edge) }),
    setWebAclStatement(),
  ];
}

/** Permissions of Oregon's setup function: create the public record and the signing key of lease tokens. */
export function primarySetupStatements(config: DeploymentConfig, serverSecretArn: string): PolicyStatement[] {
  return [
    ...publicRecordStatements(config, 'CREATE'),
    new PolicyStatement({
      sid: 'SigningKeys',
      actions: ['secretsmanager:GetSecretValue', 'secretsmanager:PutSecretValue'],
      resources: [serverSecretArn],
    }),
  ];
}
