/**
 * Before a deploy: may what has just been synthesized be deployed now? `npm run guard -- STACK` asks for some stacks only,
 * and needs no answer from the region of the others. It only asks: what protects the stacks is put in place after a
 * deploy, see bin/protect.ts.
 */
import { readFileSync } from 'node:fs';
import { GetTemplateCommand } from '@aws-sdk/client-cloudformation';
import { openAwsTarget } from '@evergrant/cli/aws/open-target';
import { OperatingError } from '@evergrant/core/operating-error';
import { config } from '../deployment.config';
import { checkedConfig } from '../lib/config/deployment-config';
import { type GuardFacts, guardVerdict } from '../lib/protection/guard';
import { askStack } from '../lib/protection/stack-call';
import type { ComparedTemplate } from '../lib/protection/unsafe-changes';
import { STACKS } from '../lib/stacks/deployment';

const OUT = process.env.CDK_OUTDIR ?? 'cdk.out';

/** Null: the stack is not there. */
async function deployedTemplate(stack: string): Promise<ComparedTemplate | null> {
  const found = await askStack(stack, (client) => client.send(new GetTemplateCommand({ StackName: stack })));
  return found === null ? null : (JSON.parse(found.TemplateBody ?? '{}') as ComparedTemplate);
}

async function state(): Promise<GuardFacts['state']> {
  const target = await openAwsTarget({ deployment: checkedConfig(config).deployment });
  try {
    const [authority, { record }] = await Promise.all([target.ports.authority.read(), target.ports.control.read()]);
    return { authority, control: record };
  } catch (failure) {
    // No table is no deployment; whatever else fails leaves the question open, and an open question is a no.
    if (failure instanceof OperatingError && failure.code === 'ResourceNotFoundException') return null;
    throw failure;
  } finally {
    await target.close();
  }
}

/** The stacks that are named on the command line; none named: all. */
function wantedStacks(): readonly string[] {
  const all: readonly string[] = Object.values(STACKS);
  const named = process.argv.slice(2);
  const unknown = named.filter((name) => !all.includes(name));
  if (unknown.length > 0) throw new Error(`There is no stack ${unknown.join(', ')}: there are ${all.join(', ')}.`);
  return named.length > 0 ? named : all;
}

async function main(): Promise<void> {
  const stacks: GuardFacts['stacks'][number][] = [];
  for (const name of wantedStacks()) {
    const deployed = await deployedTemplate(name);
    if (deployed === null) continue;
    const next = JSON.parse(readFileSync(`${OUT}/${name}.template.json`, 'utf8')) as ComparedTemplate;
    stacks.push({ name, deployed, next });
  }
  const verdict = guardVerdict({ state: await state(), stacks });
  process.stdout.write(`${verdict.kind}: ${[verdict.reason].flat().join('\n  ')}\n`);
  if (verdict.kind === 'refuse') process.exitCode = 1;
}

main().catch((error: unknown) => {
  process.stderr.write(
    `It cannot be said whether to deploy, so: do not. ${error instanceof Error ? error.message : error}\n`,
  );
  process.exitCode = 1;
});
