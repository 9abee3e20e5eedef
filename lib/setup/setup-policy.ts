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

/** What every setup may do with the authority table: read who is active, and what places say of themselves; say it. */
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
      sid: 'Introduction',
      actions: ['dynamodb:UpdateItem'],
      resources,
      conditions: underKeys('region'),
    }),
  ];
}

/** What only the authority stack's setup does: the first epoch, and the controllers' empty memory. */
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

/** What a region's setup may do, once: associate a web ACL where there is none. */
export function associationStatements(edge: EdgeArns): PolicyStatement[] {
  return [
    new PolicyStatement({ sid: 'WebAcls', actions: [...ASSOCIATION_ACTIONS], resources: Object.values(edge) }),
    setWebAclStatement(),
  ];
}

/** What only Oregon's setup does: the first public record, and the key that signs lease tokens. */
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
