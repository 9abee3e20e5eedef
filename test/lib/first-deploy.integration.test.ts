import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ofType, type Synthesized, synthesize, type Template } from './support/synthesized';

let app: Synthesized;

beforeAll(() => {
  app = synthesize();
}, 120_000);

/** Logical ids of the resources that CloudFormation creates before this one. */
function madeBefore({ resources }: Template, id: string): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (from: string): void => {
    const { DependsOn = [], Properties } = resources[from] as { DependsOn?: string | string[]; Properties: object };
    const referred = JSON.stringify(Properties ?? {}).matchAll(/"(?:Ref|Fn::GetAtt)":\["?([^"]+)|"Ref":"([^"]+)"/g);
    const names = [...[DependsOn].flat(), ...[...referred].map(([, first, second]) => String(first ?? second))];
    for (const name of names) {
      if (found.has(name) || resources[name] === undefined) continue;
      found.add(name);
      visit(name);
    }
  };
  visit(id);
  return found;
}

const idOf = (template: Template, type: string): string => {
  const [found, ...others] = ofType(template, type);
  if (found === undefined || others.length > 0) throw new Error(`not exactly one ${type}`);
  return found[0];
};
const regions = () => [app.templates.oregon, app.templates.virginia];

describe('first deploy', () => {
  it('creates the regional record before the public alias, because Route 53 refuses an alias without a target', () => {
    const { oregon } = app.templates;
    const before = madeBefore(oregon, idOf(oregon, 'Custom::EvergrantPublicRecord'));
    expect([...before]).toContain(idOf(oregon, 'AWS::Route53::RecordSet'));
  });

  it('creates the signing keys before the servers that read them', () => {
    const { oregon } = app.templates;
    const before = madeBefore(oregon, idOf(oregon, 'AWS::ECS::Service'));
    expect([...before]).toContain(idOf(oregon, 'Custom::EvergrantSigningKeys'));
  });

  it('reserves no concurrency for the setup functions, because a new account has none to spare', () => {
    const setups = Object.values(app.templates)
      .flatMap((template) => ofType(template, 'AWS::Lambda::Function'))
      .filter(([, { Properties }]) => String(Properties.FunctionName).includes('-setup-'));
    expect(setups).toHaveLength(5);
    for (const [, { Properties }] of setups) expect(Properties).not.toHaveProperty('ReservedConcurrentExecutions');
  });

  it('lets the setup function retry until AWS services find a new load balancer', () => {
    for (const template of regions()) {
      const { ServiceTimeout } = template.resources[idOf(template, 'Custom::EvergrantAssociation')]!.Properties;
      const setup = ofType(template, 'AWS::Lambda::Function').find(([, { Properties }]) =>
        String(Properties.FunctionName).includes('-setup-'),
      );
      // Three minutes of retries (lambda/setup/retry.ts), the calls of the last try, and the response to CloudFormation.
      expect(setup?.[1].Properties.Timeout).toBeGreaterThanOrEqual(240);
      expect(Number(ServiceTimeout)).toBeGreaterThan(Number(setup?.[1].Properties.Timeout));
    }
  });
});

describe('commands in the documentation', () => {
  it.each(['deploy', 'verification'])('use only outputs that the stacks have: %s.md', (page) => {
    const text = readFileSync(join(__dirname, `../../docs/${page}.md`), 'utf8');
    const asked = [...text.matchAll(/\$\(said (\w+) (\w+)\)/g)].map(([, region, name]) => ({ region, name }));
    expect(asked.length).toBeGreaterThan(0);
    for (const { region, name } of asked) {
      const template = region === 'oregon' ? app.templates.oregon : app.templates.virginia;
      const { Outputs = {} } = JSON.parse(template.text) as { Outputs?: Record<string, object> };
      expect(Object.keys(Outputs)).toContain(name);
      expect(Outputs[String(name)]).not.toHaveProperty('Export');
    }
  });
});
