import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ofType, type Synthesized, synthesize, type Template } from './support/synthesized';

let app: Synthesized;

beforeAll(() => {
  app = synthesize();
}, 120_000);

/** What CloudFormation makes before it makes this one, by their logical ids. */
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

describe('a first deploy', () => {
  it('makes the regional record before the public one that leads to it: Route 53 refuses an alias to nowhere', () => {
    const { oregon } = app.templates;
    const before = madeBefore(oregon, idOf(oregon, 'Custom::EvergrantPublicRecord'));
    expect([...before]).toContain(idOf(oregon, 'AWS::Route53::RecordSet'));
  });

  it('makes the keys that sign before the servers that read them', () => {
    const { oregon } = app.templates;
    const before = madeBefore(oregon, idOf(oregon, 'AWS::ECS::Service'));
    expect([...before]).toContain(idOf(oregon, 'Custom::EvergrantSigningKeys'));
  });

  it('reserves no concurrency for what runs once: a new account has none to spare', () => {
    const setups = Object.values(app.templates)
      .flatMap((template) => ofType(template, 'AWS::Lambda::Function'))
      .filter(([, { Properties }]) => String(Properties.FunctionName).includes('-setup-'));
    expect(setups).toHaveLength(5);
    for (const [, { Properties }] of setups) expect(Properties).not.toHaveProperty('ReservedConcurrentExecutions');
  });

  it('lets the setup try for as long as AWS needs to know a new load balancer', () => {
    for (const template of regions()) {
      const { ServiceTimeout } = template.resources[idOf(template, 'Custom::EvergrantAssociation')]!.Properties;
      const setup = ofType(template, 'AWS::Lambda::Function').find(([, { Properties }]) =>
        String(Properties.FunctionName).includes('-setup-'),
      );
      // Three minutes of tries (lambda/setup/retry.ts), the last one's calls, and the answer to CloudFormation.
      expect(setup?.[1].Properties.Timeout).toBeGreaterThanOrEqual(240);
      expect(Number(ServiceTimeout)).toBeGreaterThan(Number(setup?.[1].Properties.Timeout));
    }
  });
});

describe('the commands in the documentation', () => {
  it.each(['deploy', 'verification'])('ask the stacks for nothing that they do not say: %s.md', (page) => {
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
