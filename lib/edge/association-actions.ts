import { PolicyStatement } from 'aws-cdk-lib/aws-iam';

/**
 * The actions that read and change the web ACL of a load balancer. WAF also checks the permissions of the load balancer's
 * service, which are the last actions of the list (service authorization reference, AWS WAF V2).
 */
export const ASSOCIATION_ACTIONS = [
  'wafv2:AssociateWebACL',
  'wafv2:GetWebACLForResource',
  'wafv2:GetWebACL',
  'elasticloadbalancing:CreateWebACLAssociation',
  'elasticloadbalancing:GetLoadBalancerWebACL',
] as const;

/** A region's load balancer and its two web ACLs, of which one is associated. */
export type EdgeArns = Readonly<Record<'loadBalancerArn' | 'serveAclArn' | 'fenceAclArn', string>>;

/** The reason for the wildcard of the statement `SetWebAcl`. */
export const SET_WEB_ACL_REASON =
  'the action has no resource type, so a statement that names a load balancer never allows it';

/**
 * The permission that WAF asked the load balancer's service for before it had finer ones; WAF accepts either. Source:
 * service authorization reference, Elastic Load Balancing V2, `SetWebAcl` (no resource types), 26 September 2026.
 */
export function setWebAclStatement(): PolicyStatement {
  return new PolicyStatement({ sid: 'SetWebAcl', actions: ['elasticloadbalancing:SetWebAcl'], resources: ['*'] });
}
