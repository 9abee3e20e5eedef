import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AclRule } from './web-acl-model';

interface TemplateResource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, unknown>>;
  readonly Metadata?: Readonly<Record<string, unknown>>;
}

/** The output of `cdk synth`: the bundles and environments of a deployment. */
export class SynthesizedApp {
  readonly folder: string;

  constructor(folder = process.env.EVERGRANT_SYNTHESIZED ?? '') {
    if (!existsSync(folder)) throw new Error('nothing is synthesized: run these tests with npm run test:aws');
    this.folder = folder;
  }

  resources(stack: string): Readonly<Record<string, TemplateResource>> {
    const text = readFileSync(join(this.folder, `Evergrant-${stack}.template.json`), 'utf8');
    return (JSON.parse(text) as { Resources: Record<string, TemplateResource> }).Resources;
  }

  /** The types of all resources of all stacks. */
  types(): readonly string[] {
    const stacks = ['Authority', 'Oregon', 'Virginia', 'Oregon-Interconnect', 'Virginia-Interconnect'];
    return stacks.flatMap((stack) => Object.values(this.resources(stack)).map(({ Type }) => Type));
  }

  find(stack: string, type: string, matches: (properties: Readonly<Record<string, unknown>>) => boolean = () => true) {
    const found = Object.values(this.resources(stack)).find(
      ({ Type, Properties }) => Type === type && matches(Properties),
    );
    if (found === undefined) throw new Error(`${stack} has no matching ${type}`);
    return found;
  }

  /** The bundle of a function and its environment. `known` supplies the values that only a deployment knows. */
  function(stack: string, name: string, known: Readonly<Record<string, string>>) {
    const { Properties, Metadata } = this.find(stack, 'AWS::Lambda::Function', (of) => of.FunctionName === name);
    const { Variables } = Properties.Environment as { Variables: Record<string, unknown> };
    return {
      bundle: join(this.folder, String(Metadata?.['aws:asset:path']), 'index.js'),
      environment: resolved(Variables, known),
    };
  }

  /** The response of a fenced region. */
  fenceBody(region: 'oregon' | 'virginia'): string {
    const fence = this.#webAcl(region, 'fence');
    const bodies = fence.Properties.CustomResponseBodies as Record<string, { Content: string }>;
    return bodies['go-elsewhere']?.Content ?? '';
  }

  /** The conditions that an open region sets for calls. */
  serveRules(region: 'oregon' | 'virginia'): readonly AclRule[] {
    return this.#webAcl(region, 'serve').Properties.Rules as AclRule[];
  }

  #webAcl(region: 'oregon' | 'virginia', name: 'serve' | 'fence'): TemplateResource {
    const stack = region === 'oregon' ? 'Oregon' : 'Virginia';
    return this.find(stack, 'AWS::WAFv2::WebACL', ({ Name }) => String(Name).endsWith(`-${name}`));
  }

  /** The environment of the container of a region's servers. */
  serverEnvironment(stack: 'Oregon' | 'Virginia', known: Readonly<Record<string, string>>): Record<string, string> {
    const task = this.find(stack, 'AWS::ECS::TaskDefinition', ({ Family }) => String(Family).endsWith('-server'));
    const [container] = task.Properties.ContainerDefinitions as { Environment: { Name: string; Value: unknown }[] }[];
    return resolved(Object.fromEntries((container?.Environment ?? []).map(({ Name, Value }) => [Name, Value])), known);
  }
}

/** References are found by the prefix of their logical id. */
function resolved(values: Record<string, unknown>, known: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => {
      if (typeof value === 'string') return [name, value];
      const reference = JSON.stringify(value);
      const prefix = Object.keys(known).find((candidate) => reference.includes(`"${candidate}`));
      if (prefix === undefined) throw new Error(`${name}: unknown reference ${reference}`);
      return [name, known[prefix] as string];
    }),
  );
}
