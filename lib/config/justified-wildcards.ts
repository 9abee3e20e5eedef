import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { NodejsFunction } from 'aws-cdk-lib/aws-lambda-nodejs';
import { acknowledge } from './acknowledged';

/** Why a statement, by its sid, must hold a wildcard. */
export type WildcardReasons = Readonly<Record<string, string>>;

/** Both of a policy's: any characters, and any one. */
export const WILDCARD = /[*?]/;

/**
 * Gives a function its rights. A statement with a wildcard must have its reason; one that has none does not synthesize.
 * @throws Error that names the statement
 */
export function grantWithReasons(
  grantee: NodejsFunction,
  statements: readonly PolicyStatement[],
  reasons: WildcardReasons,
): void {
  const { role } = grantee;
  if (role === undefined) throw new Error('a function without a role');
  for (const statement of statements) {
    grantee.addToRolePolicy(statement);
    for (const resource of statement.resources.filter((candidate) => WILDCARD.test(candidate))) {
      const reason = reasons[statement.sid ?? ''];
      if (reason === undefined) throw new Error(`${statement.sid}: ${resource} has a wildcard and no reason for it`);
      acknowledge(role, { [`AwsSolutions-IAM5[Resource::${resource}]`]: reason });
    }
  }
}

/** A policy that AWS keeps, as the rule pack names it. */
export function managedPolicyFinding(policy: string): string {
  return `AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/${policy}]`;
}
