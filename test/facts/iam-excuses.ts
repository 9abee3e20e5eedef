type Excuses = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** Required resource types that no statement names: action, type, and why the call does not touch one. */
export const RESOURCE_TYPES_EXCUSED: Excuses = {
  'rds:CreateDBInstanceReadReplica': { cluster: 'the source is a DB instance, no Multi-AZ DB cluster' },
};

const NO_MANAGED_PASSWORD = "RDS does not manage the password: the owner's secret is the deployment's own";

const OTHER_RESOURCE = 'the web ACL is associated with an Application Load Balancer only';

/** Dependent actions that are not granted: action, dependent action, and why the call does not need it. */
export const DEPENDENT_ACTIONS_EXCUSED: Excuses = {
  'rds:ModifyDBInstance': {
    'rds:CreateTenantDatabase': 'multi-tenant databases exist for Oracle only',
    'secretsmanager:CreateSecret': NO_MANAGED_PASSWORD,
    'secretsmanager:RotateSecret': NO_MANAGED_PASSWORD,
    'secretsmanager:TagResource': NO_MANAGED_PASSWORD,
  },
  'wafv2:AssociateWebACL': {
    'amplify:AssociateWebACL': OTHER_RESOURCE,
    'apigateway:SetWebACL': OTHER_RESOURCE,
    'apprunner:AssociateWebAcl': OTHER_RESOURCE,
    'appsync:SetWebACL': OTHER_RESOURCE,
    'cognito-idp:AssociateWebACL': OTHER_RESOURCE,
    'ec2:AssociateVerifiedAccessInstanceWebAcl': OTHER_RESOURCE,
    'wafv2:GetPermissionPolicy': 'no rule group is shared with this account',
    'wafv2:PutPermissionPolicy': 'no rule group is shared with another account',
  },
  'wafv2:GetWebACLForResource': {
    'amplify:GetWebACLForResource': OTHER_RESOURCE,
    'apprunner:DescribeWebAclForService': OTHER_RESOURCE,
    'cognito-idp:GetWebACLForResource': OTHER_RESOURCE,
    'ec2:GetVerifiedAccessInstanceWebAcl': OTHER_RESOURCE,
  },
};
