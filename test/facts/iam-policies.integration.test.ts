import { type Synthesized, synthesize } from '../lib/support/synthesized';
import { DEPENDENT_ACTIONS_EXCUSED, RESOURCE_TYPES_EXCUSED } from './iam-excuses';
import { actionFacts } from './iam-reference';
import { type PlainStatement, policyStatements } from './policy-statements';

/** Checks every statement of every synthesized policy against AWS's service authorization reference. */
let statements: readonly PlainStatement[];

beforeAll(() => {
  const app: Synthesized = synthesize();
  statements = Object.values(app.templates).flatMap(policyStatements);
}, 120_000);

/** One entry for each statement and action. */
async function each<T>(look: (statement: PlainStatement, action: string) => Promise<T[]>): Promise<T[]> {
  const found = await Promise.all(
    statements.flatMap((statement) => statement.actions.map((action) => look(statement, action))),
  );
  return found.flat();
}

/** Every action that the roles of a statement are allowed, by any statement. */
function granted(roles: readonly string[]): Set<string> {
  return new Set(
    statements.filter((other) => other.roles.some((role) => roles.includes(role))).flatMap(({ actions }) => actions),
  );
}

describe('IAM policies against the service authorization reference', () => {
  it('have statements to check', () => {
    expect(statements.length).toBeGreaterThan(40);
  });

  it('name existing actions only', async () => {
    expect(await each(async (_, action) => ((await actionFacts(action)) ? [] : [action]))).toEqual([]);
  });

  it('allow an action without resource types on * only', async () => {
    const wrong = await each(async ({ sid, resources }, action) => {
      const facts = await actionFacts(action);
      return facts?.wildcardOnly && !resources.includes('*') ? [`${sid}: ${action} needs *`] : [];
    });
    expect(wrong).toEqual([]);
  });

  it('name resources of a type that the action knows', async () => {
    const wrong = await each(async ({ sid, resources }, action) => {
      const { wildcardOnly, resourceTypes = [] } = (await actionFacts(action)) ?? {};
      if (wildcardOnly) return [];
      const arns = resourceTypes.flatMap(({ arns }) => arns);
      // An ARN that is one intrinsic function is a resource of the template, whose type the construct has checked.
      const named = resources.filter((resource) => resource !== '*' && !resource.startsWith('<>'));
      return arns.length > 0 && named.length > 0 && !named.some((resource) => arns.some((arn) => arn.test(resource)))
        ? [`${sid}: ${action} is not possible on ${named.join(', ')}`]
        : [];
    });
    expect(wrong).toEqual([]);
  });

  it('name, for each role and action, a resource of every required type, or have a reason', async () => {
    const missing = await each(async ({ sid, roles }, action) => {
      const { resourceTypes = [] } = (await actionFacts(action)) ?? {};
      const resources = statements
        .filter((other) => other.actions.includes(action) && other.roles.some((role) => roles.includes(role)))
        .flatMap((other) => other.resources);
      if (resources.some((resource) => resource === '*' || resource.startsWith('<>'))) return [];
      return resourceTypes
        .filter(({ name, required, arns }) => required && !excusedType(action, name) && !matches(arns, resources))
        .map(({ name }) => `${sid}: ${action} needs a resource of type ${name}`);
    });
    expect([...new Set(missing)]).toEqual([]);
  });

  it('use condition keys that the action knows', async () => {
    const unknown = await each(async ({ sid, conditionKeys }, action) => {
      const facts = await actionFacts(action);
      return conditionKeys
        .map((key) => key.toLowerCase())
        .filter((key) => !key.startsWith('aws:') && !facts?.conditionKeys.some((known) => known.test(key)))
        .map((key) => `${sid}: ${action} knows no condition key ${key}`);
    });
    expect(unknown).toEqual([]);
  });

  it('grant each dependent action, or have a reason', async () => {
    const missing = await each(async ({ sid, roles }, action) => {
      const { dependentActions = [] } = (await actionFacts(action)) ?? {};
      const allowed = granted(roles);
      return dependentActions
        .filter((dependent) => !allowed.has(dependent) && !(DEPENDENT_ACTIONS_EXCUSED[action]?.[dependent] ?? ''))
        .map((dependent) => `${sid}: ${action} depends on ${dependent}`);
    });
    expect([...new Set(missing)]).toEqual([]);
  });

  it('have no excuse that is not needed', async () => {
    const actions = new Set(statements.flatMap((statement) => statement.actions));
    const excused = [...Object.keys(RESOURCE_TYPES_EXCUSED), ...Object.keys(DEPENDENT_ACTIONS_EXCUSED)];
    expect(excused.filter((action) => !actions.has(action))).toEqual([]);
  });
});

function excusedType(action: string, type: string): boolean {
  return (RESOURCE_TYPES_EXCUSED[action]?.[type] ?? '') !== '';
}

function matches(arns: readonly RegExp[], resources: readonly string[]): boolean {
  return resources.some((resource) => arns.some((arn) => arn.test(resource)));
}
