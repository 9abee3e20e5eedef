import { CfnResource, Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/**
 * Accepts findings on a construct, each with a reason: findings of cdk-nag, of the CDK's validation, of checkov
 * (`CKV_…`) and of cfn-lint (`E1234`). Reasons for checkov and cfn-lint are written into the template, where these
 * checkers read them.
 */
export function acknowledge(scope: IConstruct, reasons: Readonly<Record<string, string>>): void {
  for (const [id, reason] of Object.entries(reasons)) {
    if (id.startsWith('CKV_')) skipInCheckov(resourceOf(scope), id, reason);
    else if (/^[EW]\d{4}$/.test(id)) skipInCfnLint(resourceOf(scope), id, reason);
    else Validations.of(scope).acknowledge({ id, reason });
  }
}

function resourceOf(scope: IConstruct): CfnResource {
  const resource = scope instanceof CfnResource ? scope : scope.node.defaultChild;
  if (!(resource instanceof CfnResource)) throw new Error(`${scope.node.path} is not a resource`);
  return resource;
}

function skipInCheckov(resource: CfnResource, id: string, comment: string): void {
  const { skip = [] } = (resource.getMetadata('checkov') ?? {}) as { skip?: object[] };
  resource.addMetadata('checkov', { skip: [...skip, { id, comment }] });
}

/** cfn-lint has no field for a reason, so the reason is stored in separate metadata. */
function skipInCfnLint(resource: CfnResource, id: string, reason: string): void {
  const { config } = (resource.getMetadata('cfn-lint') ?? {}) as { config?: { ignore_checks: string[] } };
  resource.addMetadata('cfn-lint', { config: { ignore_checks: [...(config?.ignore_checks ?? []), id] } });
  resource.addMetadata('accepted', { ...(resource.getMetadata('accepted') as object | undefined), [id]: reason });
}
