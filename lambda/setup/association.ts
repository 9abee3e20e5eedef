import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import {
  AssociateWebACLCommand,
  GetWebACLForResourceCommand,
  WAFNonexistentItemException,
  type WAFV2Client,
} from '@aws-sdk/client-wafv2';
import { AUTHORITY_KEY, textOf } from '@evergrant/authority-store/authority-table';
import { type CustomResourceHandler, property } from './custom-resource';

/**
 * A load balancer without a web ACL is open, so it gets one: *serve* in the region with authority, *fence* in the other.
 * A load balancer that has a web ACL keeps it, because the controller may have set it.
 */
export const seedAssociation: CustomResourceHandler = async (properties, { waf, dynamo }) => {
  const loadBalancerArn = property(properties, 'loadBalancerArn');
  if (await hasWebAcl(waf, loadBalancerArn)) return {};
  const table = property(properties, 'table');
  const { Item: authority } = await dynamo.send(
    new GetItemCommand({ TableName: table, Key: AUTHORITY_KEY, ConsistentRead: true }),
  );
  const isActive = textOf(authority, 'region') === property(properties, 'region');
  const aclArn = property(properties, isActive ? 'serveAclArn' : 'fenceAclArn');
  await waf.send(new AssociateWebACLCommand({ ResourceArn: loadBalancerArn, WebACLArn: aclArn }));
  return {};
};

/**
 * GetWebACLForResource returns no ACL, or WAFNonexistentItem, when none is associated. The same error means that the
 * load balancer is unknown. The associate call distinguishes the two.
 */
async function hasWebAcl(waf: WAFV2Client, loadBalancerArn: string): Promise<boolean> {
  try {
    const { WebACL: present } = await waf.send(new GetWebACLForResourceCommand({ ResourceArn: loadBalancerArn }));
    return present?.ARN !== undefined;
  } catch (failure) {
    if (failure instanceof WAFNonexistentItemException) return false;
    throw failure;
  }
}
