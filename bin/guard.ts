/**
 * Before a deploy: may what has just been synthesized be deployed now? `npm run guard -- STACK` asks for some stacks only,
 * and needs no answer from the region of the others. Also puts the stacks' policies in place.
 */
import { readFileSync } from 'node:fs';
import { CloudFormationClient, GetTemplateCommand, SetStackPolicyCommand } from '@aws-sdk/client-cloudformation';
import { openAwsTarget } from '../cli/aws/open-target';
import { config } from '../deployment.config';
import { AWS_REGION_OF } from '../lambda/failover/aws/deployment';
import { OperatingError } from '../lambda/failover/ports';
import { checkedConfig } from '../lib/config/deployment-config';
import { type GuardFacts, guardVerdict } from '../lib/protection/guard';
import { type ComparedTemplate, STACK_POLICY } from '../lib/protection/harm';
import { STACKS } from '../lib/stacks/deployment';

const OUT = process.env.CDK_OUTDIR ?? 'cdk.out';

function clientOf(stack: string): CloudFormationClient {
  return new CloudFormationClient({ region: AWS_REGION_OF[stack.includes('Oregon') ? 'oregon' : 'virginia'] });
}

/** Null: the stack is not there. */
async function deployedTemplate(stack: string): Promise<ComparedTemplate | null> {
  try {
    const { TemplateBody } = await clientOf(stack).send(new GetTemplateCommand({ StackName: stack }));
    return JSON.parse(TemplateBody ?? '{}') as ComparedTemplate;
  } catch (error) {
    if ((error as Error).name === 'ValidationError' && (error as Error).message.includes('does not exist')) return null;
    throw error;
  }
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
    await clientOf(name).send(
      new SetStackPolicyCommand({ StackName: name, StackPolicyBody: JSON.stringify(STACK_POLICY) }),
    );
  }
  const verdict = guardVerdict({ state: await state(), stacks });
  process.stdout.write(`${verdict.kind}: ${[verdict.because].flat().join('\n  ')}\n`);
  if (verdict.kind === 'refuse') process.exitCode = 1;
}

main().catch((error: unknown) => {
  process.stderr.write(
    `It cannot be said whether to deploy, so: do not. ${error instanceof Error ? error.message : error}\n`,
  );
  process.exitCode = 1;
});
