/**
 * What it takes to see and to change which web ACL a load balancer has. WAF asks the load balancer's service too, under
 * the last three names (service authorization reference, AWS WAF V2).
 */
export const ASSOCIATION_ACTIONS = [
  'wafv2:AssociateWebACL',
  'wafv2:GetWebACLForResource',
  'wafv2:GetWebACL',
  'elasticloadbalancing:SetWebAcl',
  'elasticloadbalancing:CreateWebACLAssociation',
  'elasticloadbalancing:GetLoadBalancerWebACL',
] as const;

/** A region's load balancer and the two web ACLs that it may have. */
export type EdgeArns = Readonly<Record<'loadBalancerArn' | 'serveAclArn' | 'fenceAclArn', string>>;
