import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { NodejsFunction } from 'aws-cdk-lib/aws-lambda-nodejs';
import { acknowledge } from './acknowledged';

/** The reason for the wildcard of a statement, by its sid. */
export type WildcardReasons = Readonly<Record<string, string>>;

/** The wildcards of an IAM policy: any characters, and any single character. */
export const WILDCARD = /[*?]/;

/**
 * Adds statements to the role of a function. A statement with a wildcard needs a reason.
 * @throws Error that names the statement without a reason
 */
export function grantJustified(
  grantee: NodejsFunction,
  statements: readonly PolicyStatement[],
  reasons: WildcardReasons,
): void {
  const { role } = grantee;
  if (role === undefined) throw new Error('the function has no role');
  for (const statement of statements) {
    grantee.addToRolePolicy(statement);
    for (const resource of statement.resources.filter((candidate) => WILDCARD.test(candidate))) {
      const reason = reasons[statement.sid ?? ''];
      if (reason === undefined) throw new Error(`${statement.sid}: ${resource} has a wildcard without a reason`);
      acknowledge(role, { [`AwsSolutions-IAM5[Resource::${resource}]`]: reason });
    }
  }
}

/** The cdk-nag finding id of an AWS managed policy. */
export function managedPolicyFinding(policy: string): string {
  return `AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/${policy}]`;
}
