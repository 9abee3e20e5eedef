/**
 * Checks, before a deploy, whether the synthesized stacks may be deployed now. `npm run guard -- STACK` checks only the
 * named stacks and calls only their regions. The guard changes nothing: bin/protect.ts sets the stack policies after a
 * deploy.
 */
import { readFileSync } from 'node:fs';
import { GetTemplateCommand } from '@aws-sdk/client-cloudformation';
import { openAwsTarget } from '@evergrant/cli/aws/open-target';
import { OperatingError } from '@evergrant/core/operating-error';
import { config } from '../deployment.config';
import { checkedConfig } from '../lib/config/deployment-config';
import { type GuardFacts, guardVerdict } from '../lib/protection/guard';
import { callStack } from '../lib/protection/stack-call';
import type { ComparedTemplate } from '../lib/protection/unsafe-changes';
import { STACKS } from '../lib/stacks/deployment';

const OUT = process.env.CDK_OUTDIR ?? 'cdk.out';

/** Returns undefined when the stack does not exist. */
async function deployedTemplate(stack: string): Promise<ComparedTemplate | undefined> {
  const found = await callStack(stack, (client) => client.send(new GetTemplateCommand({ StackName: stack })));
  return found === undefined ? undefined : (JSON.parse(found.TemplateBody ?? '{}') as ComparedTemplate);
}

async function state(): Promise<GuardFacts['state']> {
  const target = await openAwsTarget({ deployment: checkedConfig(config).deployment });
  try {
    const [authority, { record }] = await Promise.all([target.ports.authority.read(), target.ports.control.read()]);
    return { authority, control: record };
  } catch (failure) {
    // Without the table there is no deployment. Any other failure leaves the state unknown, and unknown refuses the deploy.
    if (failure instanceof OperatingError && failure.code === 'ResourceNotFoundException') return undefined;
    throw failure;
  } finally {
    await target.close();
  }
}

/** The stacks named on the command line, or all stacks when none is named. */
function selectedStacks(): readonly string[] {
  const all: readonly string[] = Object.values(STACKS);
  const named = process.argv.slice(2);
  const unknown = named.filter((name) => !all.includes(name));
  if (unknown.length > 0) throw new Error(`Unknown stack ${unknown.join(', ')}. The stacks are ${all.join(', ')}.`);
  return named.length > 0 ? named : all;
}

async function main(): Promise<void> {
  const stacks: GuardFacts['stacks'][number][] = [];
  for (const name of selectedStacks()) {
    const deployed = await deployedTemplate(name);
    if (deployed === undefined) continue;
    const next = JSON.parse(readFileSync(`${OUT}/${name}.template.json`, 'utf8')) as ComparedTemplate;
    stacks.push({ name, deployed, next });
  }
  const verdict = guardVerdict({ state: await state(), stacks });
  const reasons = verdict.kind === 'refuse' ? verdict.reasons : [verdict.reason];
  process.stdout.write(`${verdict.kind}: ${reasons.join('\n  ')}\n`);
  if (verdict.kind === 'refuse') process.exitCode = 1;
}

main().catch((error: unknown) => {
  process.stderr.write(
    `The state of the deployment is unknown, so do not deploy. ${error instanceof Error ? error.message : error}\n`,
  );
  process.exitCode = 1;
});
