import { PolicyStatement } from 'aws-cdk-lib/aws-iam';

/**
 * What it takes to see and to change which web ACL a load balancer has. WAF asks the load balancer's service too, under
 * the last three names (service authorization reference, AWS WAF V2).
 */
export const ASSOCIATION_ACTIONS = [
  'wafv2:AssociateWebACL',
  'wafv2:GetWebACLForResource',
  'wafv2:GetWebACL',
  'elasticloadbalancing:CreateWebACLAssociation',
  'elasticloadbalancing:GetLoadBalancerWebACL',
] as const;

/** A region's load balancer and the two web ACLs that it may have. */
export type EdgeArns = Readonly<Record<'loadBalancerArn' | 'serveAclArn' | 'fenceAclArn', string>>;

/** Why the statement `SetWebAcl` stands on `*`. */
export const SET_WEB_ACL_REASON =
  'the action has no resource type, so a statement that names a load balancer never allows it';

/**
 * The permission that WAF asked the load balancer's service for before it had finer ones; WAF accepts either. Source:
 * service authorization reference, Elastic Load Balancing V2, `SetWebAcl` (no resource types), 26 September 2026.
 */
export function setWebAclStatement(): PolicyStatement {
  return new PolicyStatement({ sid: 'SetWebAcl', actions: ['elasticloadbalancing:SetWebAcl'], resources: ['*'] });
}
